# Reads bm1.csv as docs/files.md says.
table <- read.csv("bm1.csv", check.names = FALSE)
stopifnot(is.numeric(table[[2]]))
list_of <- function(x) paste0("[", paste(ifelse(is.na(x), "null", x), collapse = ","), "]")
version <- paste(R.version$major, R.version$minor, sep = ".")
cat(sprintf('{"version":"%s","tags":%s,"values":%s,"status":["%s"]}', version, list_of(table[[1]]),
  list_of(ifelse(is.na(table[[2]]), NA, sprintf("%.17g", table[[2]]))), paste(table[[3]], collapse = '","')))
