"""The pieces of the explore page: what is shown, how it is noised, and a file for each question asked of it."""
