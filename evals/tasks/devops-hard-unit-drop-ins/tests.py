GOOD = "[Service]\nUser=u\nExecStart=/bin/x\n"


def unitlint(project, files, *command):
    placed = {f"hosts/{path}": text for path, text in files.items()}
    name, *rest = command
    return project.run("python", "-m", "unitlint", name, "hosts", *rest, files=placed)


def check(project, files):
    ran = unitlint(project, files, "check")
    assert ran.stderr == "", ran
    findings = ran.stdout.splitlines()
    assert ran.exit_code == (1 if findings else 0), ran
    return findings


def variables(project, files, unit):
    ran = unitlint(project, files, "env", unit)
    assert ran.exit_code == 0, ran
    return ran.stdout.splitlines()


def test_without_drop_ins(project):
    files = {
        "a.service": "[Unit]\nAfter=b.service \\\n  missing.service\n[Service]\nUser=0\nRestart=always\n",
        "b.service": "[Service]\nExecStart=/bin/x\nExecStart=/bin/y\n",
    }
    assert check(project, files) == [
        "a.service: no ExecStart (a.service)",
        "a.service: runs as root (a.service:5)",
        "a.service: restarts without a pause (a.service:6)",
        "a.service: After names missing.service, which is not there (a.service:2)",
        "b.service: more than one ExecStart (b.service:3)",
        "b.service: runs as root (b.service)",
    ]


def test_a_drop_in_of_one_service(project):
    files = {
        "web.service": GOOD,
        "db.service": GOOD,
        "web.service.d/10-user.conf": "# Needs a low port\n[Service]\n\nUser=root\n[Unit]\nWants=gone.service\n",
        "web.service.d/notes.txt": "no unit file\n",
        "web.service.d/old.conf.bak": "no unit file\n",
        "gone.service.d/10.conf": "no unit file\n",
    }
    assert check(project, files) == [
        "web.service: runs as root (web.service.d/10-user.conf:4)",
        "web.service: Wants names gone.service, which is not there (web.service.d/10-user.conf:6)",
    ]


def test_a_drop_in_of_all_services(project):
    files = {
        "web.service": GOOD,
        "db.service": "[Service]\nUser=u\nType=oneshot\nExecStart=/bin/x\n",
        "service.d/more.conf": "[Service]\nExecStart=/bin/more\nRestart=always\n",
        "web.service.d/pause.conf": "[Service]\nRestartSec=1\n",
    }
    assert check(project, files) == [
        "db.service: restarts without a pause (service.d/more.conf:3)",
        "web.service: more than one ExecStart (service.d/more.conf:2)",
    ]


def test_file_names_decide_on_the_order(project):
    def of(general, own):
        files = {
            "web.service": "[Service]\nEnvironment=FROM=service\n",
            f"service.d/{general}": "[Service]\nEnvironment=FROM=general\n",
            f"web.service.d/{own}": "[Service]\nEnvironment=FROM=own\n",
        }
        return variables(project, files, "web.service")

    assert of("20-x.conf", "30-x.conf") == ["FROM=own"]
    assert of("20-x.conf", "10-x.conf") == ["FROM=general"]
    assert of("9-x.conf", "10-x.conf") == ["FROM=general"]
    assert of("a.conf", "Z.conf") == ["FROM=general"]


def test_order_within_one_folder(project):
    names = ["a.conf", "B.conf", "10-z.conf", "9.conf", "10.conf"]
    files = {f"web.service.d/{name}": f"[Service]\nEnvironment=LAST={name} {name[0]}=1\n" for name in names}
    expected = ["1=1", "9=1", "B=1", "LAST=a.conf", "a=1"]
    assert variables(project, {"web.service": GOOD, **files}, "web.service") == expected


def test_of_two_of_one_name_the_own_one_is_read(project):
    files = {
        "web.service": GOOD,
        "db.service": GOOD,
        "service.d/10.conf": "[Service]\nUser=root\nEnvironment=A=1 B=1\n",
        "web.service.d/10.conf": "[Service]\nEnvironment=B=2\n",
    }
    assert check(project, files) == ["db.service: runs as root (service.d/10.conf:2)"]
    assert variables(project, files, "web.service") == ["B=2"]
    assert variables(project, files, "db.service") == ["A=1", "B=1"]
    files["web.service.d/10.conf"] = ""
    assert check(project, files) == ["db.service: runs as root (service.d/10.conf:2)"]
    assert variables(project, files, "web.service") == []


def test_a_value_is_replaced(project):
    files = {"web.service": GOOD, "web.service.d/a.conf": "[Service]\nExecStart=\nExecStart=/bin/other\n"}
    assert check(project, files) == []
    files["web.service.d/b.conf"] = "[Service]\nExecStart=/bin/third\n"
    assert check(project, files) == ["web.service: more than one ExecStart (web.service.d/b.conf:2)"]


def test_a_value_is_taken_back(project):
    files = {"web.service": GOOD, "web.service.d/a.conf": "[Service]\nUser=\n  ExecStart = \n"}
    assert check(project, files) == [
        "web.service: no ExecStart (web.service)",
        "web.service: runs as root (web.service)",
    ]
    files["web.service.d/b.conf"] = "[Service]\nUser=v\nExecStart=/bin/y\n"
    assert check(project, files) == []


def test_taken_back_in_the_service_itself(project):
    text = f"{GOOD}Environment=A=1\nExecStart=\nEnvironment=\nExecStart=/bin/y\nEnvironment=B=2\n"
    assert check(project, {"web.service": text}) == []
    assert variables(project, {"web.service": text}, "web.service") == ["B=2"]


def test_only_this_key_in_this_section_is_taken_back(project):
    files = {
        "web.service": GOOD + "[Unit]\nAfter=gone.service\n[X-Notes]\nAfter=x\nUser=y\n",
        "web.service.d/a.conf": "[X-Notes]\nAfter=\nUser=\n[Unit]\nWants=\n",
    }
    assert check(project, files) == ["web.service: After names gone.service, which is not there (web.service:5)"]


def test_order_of_the_start(project):
    files = {
        "a.service": "[Unit]\nAfter=b.service\n",
        "b.service": "[Service]\n",
        "c.service": "[Service]\n",
        "a.service.d/10.conf": "[Unit]\nAfter=\n",
        "b.service.d/10.conf": "[Unit]\nAfter=c.service network.target\n",
    }
    ran = unitlint(project, files, "order")
    assert (ran.exit_code, ran.stdout.split()) == (0, ["a.service", "c.service", "b.service"]), ran
    files["service.d/20.conf"] = "[Unit]\nAfter=b.service\n"
    files["b.service.d/20.conf"] = ""
    ran = unitlint(project, files, "order")
    assert ran.exit_code == 2 and "b.service, c.service" in ran.stderr, ran
    files["c.service.d/30.conf"] = "[Unit]\nAfter=\n"
    ran = unitlint(project, files, "order")
    assert (ran.exit_code, ran.stdout.split()) == (0, ["c.service", "b.service", "a.service"]), ran


def test_errors_name_the_drop_in(project):
    for text, message in (
        ("User=v\n", "web.service.d/a.conf:1: outside any section"),
        ("[Service]\n\nUser\n", "web.service.d/a.conf:3: not an assignment"),
    ):
        files = {"web.service": GOOD, "web.service.d/a.conf": text}
        for command in (["check"], ["order"], ["env", "web.service"]):
            ran = unitlint(project, files, *command)
            assert (ran.exit_code, ran.stdout, ran.stderr) == (2, "", f"unitlint: {message}\n"), (command, ran)


def test_each_file_ends_for_itself(project):
    files = {
        "web.service": "[Service]\nUser=u\nExecStart=/bin/x \\",
        "web.service.d/a.conf": "[Service]\nEnvironment=A=1 \\",
        "web.service.d/b.conf": "[Service]\nEnvironment=B=1",
    }
    assert variables(project, files, "web.service") == ["A=1", "B=1"]
    assert check(project, files) == []
