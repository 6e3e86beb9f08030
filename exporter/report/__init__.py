"""Results to report.json, junit.xml and one self-contained index.html."""
