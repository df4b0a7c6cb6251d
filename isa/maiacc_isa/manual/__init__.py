"""The manual: pages made from the rows and from chapters written by hand."""
