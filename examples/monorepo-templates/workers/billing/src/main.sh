serve billing
