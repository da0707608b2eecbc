serve search
