"""Images, blur, image sets and metrics."""
