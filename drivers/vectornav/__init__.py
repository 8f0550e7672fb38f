"""The VN-100: registers over ASCII, and its binary stream."""
