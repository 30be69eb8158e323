"""Charts of runs and pictures. Built from stored or shown values only, so that nothing moves unless the data did."""
