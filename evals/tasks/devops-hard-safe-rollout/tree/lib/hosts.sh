# Hosts, and what is done on them. Each function ends with the status of what it did.

# The hosts of a group, one a line: of groups/GROUP, without comments and blank lines.
hosts_of() {
    sed -e 's/#.*//' -e 's/[[:space:]]//g' -e '/^$/d' "$here/groups/$1"
}

# Installs a version on a host and restarts the program there.
install_version() {
    ssh "$1" app-ctl install "$2"
}

# Prints the version that a host runs.
installed_version() {
    ssh "$1" app-ctl version
}
