"""The VN-100's own end of its line."""
