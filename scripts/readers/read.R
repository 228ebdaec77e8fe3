# Answers questions about HDF5 files with hdf5r: Rscript read.R < lines of "kind TAB file TAB path".
library(hdf5r)
cat("hdf5r", as.character(packageVersion("hdf5r")), "\n")
for (line in readLines(file("stdin"))) {
  parts <- strsplit(line, "\t")[[1]]
  answer <- tryCatch({
    opened <- H5File$new(parts[2], "r")
    value <- opened[[parts[3]]]$read()
    opened$close_all()
    if (parts[1] == "numbers") paste0("=", paste(sprintf("%.17g", as.numeric(value)), collapse = " "))
    else paste0("=", paste(value, collapse = "\t"))
  }, error = function(failed) paste0("!", gsub("\n", " ", conditionMessage(failed))))
  cat(answer, "\n", sep = "")
}
