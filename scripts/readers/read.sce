// Answers questions about HDF5 files with Scilab: scilab-cli -nb -f read.sce; questions.txt has lines of "kind TAB file TAB path".
lines(0);
version = getversion("scilab");
mfprintf(6, "Scilab %d.%d.%d\n", version(1), version(2), version(3));
questions = mgetl("questions.txt");
for k = 1:size(questions, "*")
  parts = strsplit(questions(k), ascii(9));
  try
    value = h5read(parts(2), parts(3));
    if typeof(value) == "hm" then
      value = value.entries; // arrays of three axes and more
    end
    if parts(1) == "numbers" then
      mfprintf(6, "=%s\n", strcat(msprintf("%.17g\n", double(value(:))), " "));
    else
      mfprintf(6, "=%s\n", strcat(value(:), ascii(9)));
    end
  catch
    mfprintf(6, "!%s\n", strcat(lasterror(), " "));
  end
end
exit
