import json
import posixpath
import re
import shlex

JUNK = [
    ".git/config",
    ".env",
    "dist/guestbook-1.0.whl",
    "entries.sqlite3",
    "__pycache__/setup.cpython-312.pyc",
    "guestbook/__pycache__/app.cpython-312.pyc",
    "guestbook/templates/__pycache__/check.cpython-312.pyc",
    "guestbook/templates/drafts.sqlite3",
    "guestbook/try.sqlite3",
    "migrations/try.sqlite3",
    "tests/__pycache__/test_app.cpython-312.pyc",
]
PIP = re.compile(r"\bpip[\d.]*\s+(?:-\S+\s+)*(?:install|wheel)\b[^;&|]*\s(?:-r|--requirement)[^;&|]*")
PIP_READS = {"requirements.txt", "constraints.txt"}


# What Docker does, as far as these tests need it


def regular(pattern):
    parts = re.split(r"(\*\*/|\*\*|\*|\?|\[[^\]]*\])", pattern)
    special = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(special.get(part, part if part[:1] == "[" else re.escape(part)) for part in parts)


def is_ignored(path, ignore):
    ignored = False
    folders = path.split("/")
    prefixes = ["/".join(folders[:count]) for count in range(1, len(folders) + 1)]
    for line in ignore.splitlines():
        line = line.strip()
        if line and not line.startswith("#"):
            pattern = posixpath.normpath(line.removeprefix("!").strip()).lstrip("/")
            if any(re.fullmatch(regular(pattern), prefix) for prefix in prefixes):
                ignored = not line.startswith("!")
    return ignored


def instructions(text):
    """Name and the rest of each, continued lines joined; a here-document follows its line."""
    found, lines = [], iter(text.splitlines())
    for line in lines:
        whole = ""
        while True:
            if not line.lstrip().startswith("#"):
                whole += re.sub(r"\\\s*$", " ", line)
                if not re.search(r"\\\s*$", line):
                    break
            line = next(lines, "")
        if not whole.strip():
            continue
        for end in re.findall(r"<<-?[\"']?(\w+)", whole):
            for line in lines:
                if line.strip() == end:
                    break
                whole += "\n" + line
        name, rest = whole.strip().split(None, 1)
        found.append((name.upper(), rest.strip()))
    return found


def expanded(text, variables):
    def value(match):
        name, _, default = (match[1] or match[2]).partition(":-")
        return variables.get(name, default)

    return re.sub(r"\$(?:\{([^}]*)\}|(\w+))", value, text)


class Stage:
    def __init__(self, base):
        self.base_image = base.base_image if isinstance(base, Stage) else base
        inherited = vars(base) if isinstance(base, Stage) else {}
        self.files = dict(inherited.get("files", {}))
        """Path in the image to path in the folder."""
        self.layers = set(inherited.get("layers", ()))
        """Files of the folder that a layer holds, even where a later one deletes them."""
        self.pip_runs = list(inherited.get("pip_runs", ()))
        self.has_packages = inherited.get("has_packages", False)
        self.variables = dict(inherited.get("variables", {}))
        self.folder = inherited.get("folder", "/")
        self.folders = set(inherited.get("folders", {"/"}))
        self.user = inherited.get("user", "root")
        self.ports = list(inherited.get("ports", []))
        self.entrypoint, self.command = inherited.get("entrypoint", []), inherited.get("command", ["python3"])

    def place(self, path):
        return posixpath.normpath(posixpath.join(self.folder, path))

    def packed(self, folder):
        """Whether pip wrote into a folder that holds files of ours, too."""
        return any(folder in run[0] or ("wheel" in run[0] and folder == run[2]) for run in self.pip_runs)

    def is_folder(self, path):
        return path in self.folders or any(file.startswith(path.rstrip("/") + "/") for file in self.files)


class Build:
    """The stages of a Dockerfile, built in a folder where developers' junk lies around."""

    def __init__(self, project):
        ignore = project.texts.get("Dockerfile.dockerignore", project.texts.get(".dockerignore", ""))
        self.context = {path for path in [*project.texts, *JUNK] if not is_ignored(path, ignore)}
        self.stages, self.last, arguments = {}, None, {}
        for name, rest in instructions(project.texts["Dockerfile"]):
            if name == "FROM":
                words = [word for word in expanded(rest, arguments).split() if not word.startswith("--")]
                self.last = Stage(self.stages.get(words[0].lower(), words[0]))
                self.stages[str(len({id(stage) for stage in self.stages.values()}))] = self.last
                if len(words) == 3:
                    self.stages[words[2].lower()] = self.last
            elif self.last is None:
                assert name == "ARG", name
                key, _, value = rest.partition("=")
                arguments[key] = value.strip("\"'")
            else:
                getattr(self, name.lower(), self.other)(self.last, rest)

    def other(self, stage, rest):
        """MAINTAINER, LABEL, HEALTHCHECK, STOPSIGNAL, VOLUME, SHELL: not looked at."""

    def arg(self, stage, rest):
        for word in shlex.split(rest):
            name, _, value = word.partition("=")
            stage.variables.setdefault(name, expanded(value, stage.variables))

    def env(self, stage, rest):
        words = shlex.split(rest)
        pairs = [word.split("=", 1) for word in words] if "=" in words[0] else [[words[0], " ".join(words[1:])]]
        stage.variables |= {name: expanded(value, stage.variables) for name, value in pairs}

    def workdir(self, stage, rest):
        stage.folder = stage.place(expanded(rest.strip("\"'"), stage.variables))
        stage.folders.add(stage.folder)

    def user(self, stage, rest):
        stage.user = expanded(rest.strip("\"'"), stage.variables)

    def expose(self, stage, rest):
        stage.ports += [port.removesuffix("/tcp") for port in expanded(rest, stage.variables).split()]

    def cmd(self, stage, rest):
        stage.command = json.loads(rest) if rest.startswith("[") else ["/bin/sh", "-c", rest]

    def entrypoint(self, stage, rest):
        stage.entrypoint, stage.command = json.loads(rest) if rest.startswith("[") else ["/bin/sh", "-c", rest], []

    def add(self, stage, rest):
        self.copy(stage, rest)

    def copy(self, stage, rest):
        options = {}
        while option := re.match(r"--([\w-]+)(?:=(\S*))?\s+", rest):
            options[option[1]] = option[2]
            rest = rest[option.end() :]
        assert not options.keys() - {"from", "chown", "chmod", "link"}, f"COPY {options}"
        if rest.startswith("<<"):
            return
        *sources, target = json.loads(rest) if rest.startswith("[") else shlex.split(rest)
        sources = [expanded(source, stage.variables) for source in sources]
        target = expanded(target, stage.variables)
        if "from" in options:
            other = self.stages.get(options["from"].lower())
            if other is None:
                return  # another image
            known = {path.lstrip("/"): file for path, file in other.files.items()}
        else:
            other, known = None, {path: path for path in self.context}
        whole = stage.place(target)
        into = target.endswith("/") or target in (".", "..") or stage.is_folder(whole) or len(sources) > 1
        for source in sources:
            pattern = posixpath.normpath(other.place(source) if other else source).lstrip("/")
            copied = self.found(pattern, known)
            if not copied and other is not None:
                stage.has_packages |= other.has_packages
                continue
            assert copied, f"COPY {source}: not found"
            for path, inner in copied:
                place = posixpath.join(whole, inner or posixpath.basename(path)) if inner or into else whole
                stage.files[posixpath.normpath(place)] = known[path]
                stage.layers.add(known[path])
            stage.has_packages |= (
                other is not None and any(inner for _, inner in copied) and other.packed(f"/{pattern}")
            )

    def found(self, pattern, known):
        """Paths, and what of each comes after the folder that the pattern names; nothing for a file."""
        found = []
        for path in sorted(known):
            if pattern in ("", "."):
                found.append((path, path))
            elif re.fullmatch(regular(pattern), path):
                found.append((path, ""))
            elif match := re.match(f"(?:{regular(pattern)})/", path):
                found.append((path, path[match.end() :]))
        return found

    def run(self, stage, rest):
        bound = {}
        while option := re.match(r"--(\w+)=(\S*)\s+", rest):
            if option[1] == "mount":
                given = dict(part.partition("=")[::2] for part in option[2].split(","))
                if given.get("type", "bind") == "bind" and "from" not in given:
                    target = stage.place(given.get("target", given.get("dst", given.get("destination", ""))))
                    source = posixpath.normpath(given.get("source", given.get("src", ".")).lstrip("/") or ".")
                    copied = self.found(source, {path: path for path in self.context})
                    assert copied, f"mount {source}: not found"
                    bound |= {posixpath.normpath(posixpath.join(target, inner)): path for path, inner in copied}
            rest = rest[option.end() :]
        words = " ".join(json.loads(rest)) if rest.startswith("[") else rest
        if PIP.search(words):
            visible = {**stage.files, **bound}
            stage.pip_runs.append((words, stage.user, stage.folder, visible, stage.layers | set(bound.values())))
            stage.has_packages = True


def image(project):
    return Build(project).last


def pip_runs(project):
    """Of each: command, user, working directory, files in view and files on which the layer depends."""
    build = Build(project)
    assert build.last.has_packages, "no packages in the image"
    return list({id(run): run for stage in build.stages.values() for run in stage.pip_runs}.values())


def test_packages_are_installed_again_only_for_the_files_that_pip_reads(project):
    for *_, depends_on in pip_runs(project):
        assert depends_on <= PIP_READS, depends_on - PIP_READS


def test_pip_finds_what_it_reads(project):
    for command, _, folder, visible, _ in pip_runs(project):
        for given in re.findall(r"\s(?:-r|--requirement)[\s=]*([^\s;&|]+)", PIP.search(command)[0]):
            path = posixpath.normpath(posixpath.join(folder, given.strip("\"'")))
            assert visible.get(path) == "requirements.txt", path
            assert visible.get(posixpath.join(posixpath.dirname(path), "constraints.txt")) == "constraints.txt"
    assert [project.texts[name] for name in sorted(PIP_READS)] == [project.before[name] for name in sorted(PIP_READS)]


def test_pip_runs_as_root(project):
    assert all(user.split(":")[0] in ("root", "0") for _, user, *_ in pip_runs(project))


def test_the_program_is_there(project):
    files = image(project).files
    for path in project.before:
        if path.startswith(("guestbook/", "migrations/")):
            assert files.get(f"/srv/{path}") == path, path


def test_nothing_else_is_there(project):
    layers = image(project).layers
    others = {path for path in layers if not path.startswith(("guestbook/", "migrations/"))}
    assert others <= PIP_READS, others - PIP_READS


def test_nothing_that_git_ignores_is_there(project):
    assert image(project).layers.isdisjoint(JUNK), image(project).layers & set(JUNK)


def test_user(project):
    assert re.fullmatch(r"10001(:\d+)?", image(project).user), image(project).user


def test_the_rest_stays(project):
    last = image(project)
    assert last.base_image == "python:3.12-slim"
    assert last.folder == "/srv"
    assert (last.variables.get("PORT"), last.variables.get("PYTHONUNBUFFERED")) == ("8000", "1")
    assert "8000" in last.ports
    program, *arguments = last.entrypoint + last.command
    assert posixpath.basename(program) in ("python", "python3") and arguments == ["-m", "guestbook"]
