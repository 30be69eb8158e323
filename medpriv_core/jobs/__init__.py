"""Work in a process of its own, which outlives a closed tab and a killed app: a folder of files, and who reads them."""
