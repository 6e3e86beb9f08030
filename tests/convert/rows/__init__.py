"""What restoration networks are made of, a file for each subject: eight planes to a tensor of their size."""
