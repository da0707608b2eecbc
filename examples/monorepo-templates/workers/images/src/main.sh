serve images
