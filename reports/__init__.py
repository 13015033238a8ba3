"""Reports: from a result file to one HTML page, a chart, or an image. Reads data, never a host."""
