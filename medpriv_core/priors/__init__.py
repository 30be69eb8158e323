"""What an attacker learns from the images of other patients: made once for a dataset, and kept in the data home."""
