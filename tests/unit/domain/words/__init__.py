"""What operators read, word for word: each page is a file that `make words` writes and a test compares."""
