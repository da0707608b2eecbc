while read -r path; do
  route "$path"
done
