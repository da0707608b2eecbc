# What all workers share.
serve() {
    echo "$1 listens on $port"
}
case ${1-} in
    --port) echo "$port"; exit ;;
esac
