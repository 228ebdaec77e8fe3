% Answers questions about HDF5 files with Octave's load: octave-cli read.m < lines of "kind TAB file TAB path".
printf("Octave %s\n", version());
last = "";
while ischar(line = fgetl(stdin))
  parts = strsplit(line, "\t");
  try
    if !strcmp(parts{2}, last)
      whole = load(parts{2});
      last = parts{2};
    endif
    value = whole;
    for name = strsplit(parts{3}(2:end), "/")
      % Octave's own names: other characters are _, and a digit does not begin one.
      field = regexprep(regexprep(name{1}, "[^A-Za-z0-9_]", "_"), "^([0-9])", "_$1");
      value = value.(field);
    endfor
    if strcmp(parts{1}, "numbers")
      printf("=%s\n", strtrim(sprintf("%.17g ", double(value(:)))));
    else
      printf("=%s\n", strjoin(cellstr(value)', "\t"));
    endif
  catch failed
    printf("!%s\n", strrep(failed.message, "\n", " "));
  end_try_catch
endwhile
