"""Imports and certain calls, on trees small enough to resolve by hand."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import dedent
from typing import ClassVar

import pytest

from krins.context.graph import CodeGraph
from krins.context.index import CodeIndex
from krins.context.tree import MemoryTree

Pairs = set[tuple[str, str]]


def graph(files: Mapping[str, str]) -> CodeGraph:
    return CodeIndex(MemoryTree({path: dedent(text) for path, text in files.items()})).update()


def imports(of: CodeGraph) -> Pairs:
    return {(of.paths[row], of.paths[column]) for row, column in zip(*of.imports.nonzero(), strict=True)}


def calls(of: CodeGraph) -> Pairs:
    return {(of.symbol(int(row)), of.symbol(int(column))) for row, column in zip(*of.calls.nonzero(), strict=True)}


def imported(files: Mapping[str, str], path: str) -> set[str]:
    return {other for importing, other in imports(graph(files)) if importing == path}


def called(files: Mapping[str, str], symbol: str) -> set[str]:
    return {callee for caller, callee in calls(graph(files)) if caller == symbol}


class TestPythonImports:
    def test_absolute_and_relative(self) -> None:
        files = {
            "pkg/__init__.py": "",
            "pkg/a.py": "import pkg.b\nfrom pkg.sub import c\nfrom . import b as other\n",
            "pkg/b.py": "from .sub.c import f\n",
            "pkg/sub/__init__.py": "",
            "pkg/sub/c.py": "from ..b import g\nfrom ... import nothing\ndef f(): pass\n",
        }
        assert imported(files, "pkg/a.py") == {"pkg/__init__.py", "pkg/b.py", "pkg/sub/__init__.py", "pkg/sub/c.py"}
        assert imported(files, "pkg/b.py") == {"pkg/__init__.py", "pkg/sub/c.py"}
        assert imported(files, "pkg/sub/c.py") == {"pkg/sub/__init__.py", "pkg/b.py"}
        assert imported(files, "pkg/sub/__init__.py") == {"pkg/__init__.py"}

    def test_source_folder_and_namespace_package(self) -> None:
        files = {
            "src/pkg/__init__.py": "",
            "src/pkg/a.py": "",
            "src/space/part/mod.py": "",
            "tests/test_a.py": "from pkg import a\nimport space.part.mod\nfrom space.part import mod\n",
        }
        assert imported(files, "tests/test_a.py") == {"src/pkg/__init__.py", "src/pkg/a.py", "src/space/part/mod.py"}

    def test_what_is_around_the_importing_file_comes_first(self) -> None:
        files = {"one/util.py": "", "one/main.py": "import util", "two/util.py": "", "main.py": "import util"}
        assert imported(files, "one/main.py") == {"one/util.py"}
        assert imported(files, "main.py") == set(), "either could be meant"

    def test_standard_library_is_not_in_the_tree(self) -> None:
        files = {"tools/json.py": "", "tools/run.py": "import json", "app.py": "import json, requests, tools.json"}
        assert imported(files, "app.py") == {"tools/json.py"}, "because of tools.json"
        assert imported({**files, "app.py": "import json"}, "app.py") == set()
        assert imported(files, "tools/run.py") == {"tools/json.py"}

    def test_reexports_are_followed_to_the_defining_file(self) -> None:
        files = {
            "pkg/__init__.py": "from .a import *\nfrom .b import g as renamed\nfrom .a import h as f\n",
            "pkg/a.py": "def f(): pass\ndef h(): pass\ndef k(): pass\n",
            "pkg/b.py": "from .c import g\n",
            "pkg/c.py": "def g(): pass\n",
            "star.py": "from pkg import k\n",
            "name.py": "from pkg import renamed\n",
            "lost.py": "from pkg import no_such_name\n",
        }
        assert imported(files, "star.py") == {"pkg/__init__.py", "pkg/a.py"}
        assert imported(files, "name.py") == {"pkg/__init__.py", "pkg/c.py"}
        assert imported(files, "lost.py") == {"pkg/__init__.py"}

    def test_circles_end(self) -> None:
        files = {"a.py": "from b import *\nfrom b import x\n", "b.py": "from a import *\nfrom a import x\n"}
        assert imports(graph(files)) == {("a.py", "b.py"), ("b.py", "a.py")}

    def test_relative_import_out_of_the_tree(self) -> None:
        assert imported({"a.py": "from .. import b\nfrom ..b import c\n", "b.py": ""}, "a.py") == set()


class TestPythonCalls:
    def test_names_of_the_module_and_of_imports(self) -> None:
        files = {
            "pkg/__init__.py": "from .impl import helper\n",
            "pkg/impl.py": """\
                def helper():
                    return other()
                def other():
                    return len([])
                """,
            "main.py": """\
                import pkg.impl
                import pkg as p
                from pkg import helper as h
                def main():
                    h()
                    p.helper()
                    pkg.impl.other()
                    unknown()
                    p.nothing()
                main()
                """,
        }
        assert calls(graph(files)) == {
            ("pkg/impl.py::helper", "pkg/impl.py::other"),
            ("main.py::main", "pkg/impl.py::helper"),
            ("main.py::main", "pkg/impl.py::other"),
            ("main.py", "main.py::main"),
        }

    def test_classes_and_their_bases(self) -> None:
        files = {
            "base.py": """\
                class Base(object):
                    def __init__(self):
                        pass
                    def shared(self):
                        self.own()
                    def own(self):
                        pass
                """,
            "main.py": """\
                import unknown
                from base import Base
                class Derived(Base):
                    def run(self):
                        self.shared()
                        self.own()
                        self.missing()
                        self.attribute.own()
                    def own(self):
                        pass
                class Odd(unknown.Base, Base):
                    def run(self):
                        self.shared()
                def make():
                    d = Derived()
                    Derived.run(d)
                """,
        }
        assert called(files, "base.py::Base.shared") == {"base.py::Base.own"}
        assert called(files, "main.py::Derived.run") == {"base.py::Base.shared", "main.py::Derived.own"}
        assert called(files, "main.py::Odd.run") == set(), "the unknown base may have it"
        assert called(files, "main.py::make") == {
            "main.py::Derived",
            "base.py::Base.__init__",
            "main.py::Derived.run",
        }

    def test_diamond_takes_the_nearer_class(self) -> None:
        text = """\
            class A:
                def m(self):
                    pass
            class B(A):
                def b(self):
                    pass
            class C(A):
                def m(self):
                    pass
            class D(B, C):
                def run(self):
                    self.m()
            """
        assert called({"a.py": text}, "a.py::D.run") == {"a.py::C.m"}

    @pytest.mark.parametrize(
        "text",
        [
            "f = 1\ndef f(): pass\ndef main():\n    f()\n",
            "from other import f\ndef f(): pass\ndef main():\n    f()\n",
            "try:\n    from other import f\nexcept ImportError:\n    from third import f\ndef main():\n    f()\n",
            "def f(): pass\ndef main():\n    def f(): pass\n    f()\n",
            "from other import *\nfrom third import *\ndef main():\n    f()\n",
            "from other import *\nfrom elsewhere import *\ndef main():\n    f()\n",
            "class A:\n    def f(self): pass\ndef main():\n    f()\n",
        ],
    )
    def test_what_could_be_two_things_is_none(self, text: str) -> None:
        files = {"a.py": text, "other.py": "def f(): pass\n", "third.py": "def f(): pass\n"}
        assert called(files, "a.py::main") == set()

    def test_imports_inside_functions_hold_there_only(self) -> None:
        files = {
            "a.py": "def one():\n    from b import f\n    f()\ndef two():\n    f()\n",
            "b.py": "def f(): pass\n",
        }
        assert called(files, "a.py::one") == {"b.py::f"}
        assert called(files, "a.py::two") == set()
        assert imported(files, "a.py") == {"b.py"}

    def test_both_branches_of_one_name_are_called(self) -> None:
        text = "if x:\n    def f(): pass\nelse:\n    def f(): pass\n\n\n\ndef main():\n    f()\n"
        of = graph({"a.py": text})
        main = of.find("main")[0]
        assert sorted(of.calls[[main]].indices) == sorted(of.find("f"))
        assert len(of.find("f")) == 2


class TestWhatNobodyWrites:
    """Sources that would keep a careless resolver busy for ever, or overflow its stack."""

    def test_classes_in_circles(self) -> None:
        text = "class A(A.B):\n    def f(self):\n        self.g()\nclass C(D):\n    def f(self):\n        self.g()\n"
        text += "class D(C):\n    def f(self):\n        self.g()\nclass E(E):\n    def f(self):\n        self.g()\n"
        assert calls(graph({"a.py": text})) == set()

    def test_a_long_line_of_classes(self) -> None:
        text = "class C0:\n    def f(self):\n        pass\n"
        text += "".join(f"class C{n}(C{n - 1}):\n    def g{n}(self):\n        self.f()\n" for n in range(1, 2000))
        found = calls(graph({"a.py": text}))
        assert ("a.py::C9.g9", "a.py::C0.f") in found
        assert ("a.py::C1999.g1999", "a.py::C0.f") not in found, "too far"

    def test_a_lattice_of_classes(self) -> None:
        text = "class A0:\n    pass\nclass B0:\n    pass\n"
        for n in range(1, 60):
            text += "".join(f"class {name}{n}(A{n - 1}, B{n - 1}):\n    pass\n" for name in "AB")
        text += "class Last(A59, B59):\n    def f(self):\n        self.g()\n"
        assert calls(graph({"a.py": text})) == set()

    def test_names_that_are_passed_on_and_on(self) -> None:
        files = {"m0.py": "def f():\n    pass\n"}
        files |= {f"m{n}.py": f"from m{n - 1} import f\ndef g():\n    f()\n" for n in range(1, 400)}
        found = calls(graph(files))
        assert ("m9.py::g", "m0.py::f") in found
        assert ("m399.py::g", "m0.py::f") not in found, "too far"

    def test_stars_among_many(self) -> None:
        stars = "".join(f"from m{n} import *\n" for n in range(40))
        files = {f"m{n}.py": stars + f"def f{n}():\n    f{39 - n}()\n    unknown()\n" for n in range(40)}
        assert len(calls(graph(files))) == 40


class TestEcmaScript:
    FILES: ClassVar = {
        "src/index.ts": """\
            export * from './shapes';
            export { helper as renamed } from './util.js';
            """,
        "src/util.ts": "export function helper() { return inner(); }\nfunction inner() {\n  return 1;\n}\n",
        "src/shapes/index.tsx": """\
            export class Shape {
              constructor() {
                this.area();
              }
              area() {
                return 0;
              }
            }
            """,
        "src/main.js": """\
            import { Shape, renamed } from '.';
            import * as util from './util';
            import react from 'react';
            const shapes = require('./shapes');
            function main() {
              new Shape();
              renamed();
              util.helper();
              react.render();
            }
            """,
    }

    def test_imports(self) -> None:
        assert imported(self.FILES, "src/index.ts") == {"src/shapes/index.tsx", "src/util.ts"}
        assert imported(self.FILES, "src/main.js") == {"src/index.ts", "src/util.ts", "src/shapes/index.tsx"}

    def test_calls(self) -> None:
        assert calls(graph(self.FILES)) == {
            ("src/util.ts::helper", "src/util.ts::inner"),
            ("src/shapes/index.tsx::Shape.constructor", "src/shapes/index.tsx::Shape.area"),
            ("src/main.js::main", "src/shapes/index.tsx::Shape"),
            ("src/main.js::main", "src/shapes/index.tsx::Shape.constructor"),
            ("src/main.js::main", "src/util.ts::helper"),
        }


class TestGo:
    FILES: ClassVar = {
        "cmd/app/main.go": """\
            package main
            import (
                "fmt"
                "example.com/org/app/pkg/text"
                other "github.com/else/where/pkg"
            )
            func main() {
                fmt.Println(text.Title("x"))
                other.Run()
            }
            """,
        "pkg/text/title.go": "package text\nfunc Title(s string) string {\n\treturn upper(s)\n}\n",
        "pkg/text/upper.go": "package text\nfunc upper(s string) string {\n\treturn s\n}\n",
        "pkg/text/unrelated.go": "package text\nfunc Lower(s string) string {\n\treturn s\n}\n",
        "pkg/text/title_test.go": "package text\nfunc TestTitle(t *T) {\n\tTitle(1)\n}\n",
        "pkg/run.go": "package pkg\nfunc Run() {\n}\n",
        "pkg/text/deep/deep.go": 'package deep\nimport "example.com/org/app/pkg"\nfunc F() {\n\tpkg.Run()\n}\n',
    }

    def test_imports(self) -> None:
        assert imported(self.FILES, "cmd/app/main.go") == {"pkg/text/title.go"}
        assert imported(self.FILES, "pkg/text/title.go") == {"pkg/text/upper.go"}, "one package"
        assert imported(self.FILES, "pkg/text/title_test.go") == {"pkg/text/title.go"}
        assert imported(self.FILES, "pkg/text/deep/deep.go") == {"pkg/run.go"}

    def test_calls(self) -> None:
        assert calls(graph(self.FILES)) == {
            ("cmd/app/main.go::main", "pkg/text/title.go::Title"),
            ("pkg/text/deep/deep.go::F", "pkg/run.go::Run"),
        }


class TestJava:
    FILES: ClassVar = {
        "app/src/main/java/org/x/App.java": """\
            package org.x;
            import org.x.util.Text;
            import java.util.List;
            class App extends Base {
                void run() {
                    new Text();
                    Text.upper("a");
                    this.help();
                    help();
                    inherited();
                    unknown();
                }
                void help() {
                }
            }
            """,
        "app/src/main/java/org/x/Base.java": "package org.x;\nclass Base {\n    void inherited() {\n    }\n}\n",
        "app/src/main/java/org/x/util/Text.java": """\
            package org.x.util;
            public class Text {
                public Text() {
                }
                static String upper(String s) {
                    return s;
                }
                static String upper(int s) {
                    return "";
                }
            }
            """,
        "app/src/test/java/org/x/AppTest.java": """\
            package org.x;
            import static org.x.util.Text.upper;
            import org.x.util.*;
            class AppTest {
                void test() {
                    new App();
                }
            }
            """,
    }

    def test_imports(self) -> None:
        main = "app/src/main/java/org/x"
        assert imported(self.FILES, f"{main}/App.java") == {f"{main}/util/Text.java", f"{main}/Base.java"}
        assert imported(self.FILES, "app/src/test/java/org/x/AppTest.java") == {
            f"{main}/App.java",
            f"{main}/util/Text.java",
        }

    def test_calls(self) -> None:
        main = "app/src/main/java/org/x"
        assert called(self.FILES, f"{main}/App.java::App.run") == {
            f"{main}/util/Text.java::Text",
            f"{main}/util/Text.java::Text.Text",
            f"{main}/util/Text.java::Text.upper",
            f"{main}/App.java::App.help",
            f"{main}/Base.java::Base.inherited",
        }
        assert called(self.FILES, "app/src/test/java/org/x/AppTest.java::AppTest.test") == {f"{main}/App.java::App"}


class TestRust:
    FILES: ClassVar = {
        "src/lib.rs": "pub mod shapes;\nmod util;\npub use shapes::Shape;\n",
        "src/util.rs": "pub fn helper() {\n}\n",
        "src/shapes/mod.rs": """\
            mod round;
            use crate::util::helper;
            pub struct Shape {}
            impl Shape {
                pub fn new() -> Self {
                    helper();
                    crate::util::helper();
                    Self::check();
                    round::draw();
                    Shape {}
                }
                fn check() {
                }
            }
            mod tests {
                use super::*;
                fn test() {
                    Shape::new();
                }
            }
            """,
        "src/shapes/round.rs": "use super::Shape;\npub fn draw() {\n    Shape::new();\n}\n",
        "other/src/lib.rs": "use my_crate::run;\nuse serde::Value;\nfn f() {\n    run();\n}\n",
        "my-crate/src/lib.rs": "pub fn run() {\n}\n",
    }

    def test_imports(self) -> None:
        assert imports(graph(self.FILES)) == {
            ("src/lib.rs", "src/shapes/mod.rs"),
            ("src/lib.rs", "src/util.rs"),
            ("src/shapes/mod.rs", "src/util.rs"),
            ("src/shapes/mod.rs", "src/shapes/round.rs"),
            ("src/shapes/round.rs", "src/shapes/mod.rs"),
            ("other/src/lib.rs", "my-crate/src/lib.rs"),
        }

    def test_calls(self) -> None:
        assert calls(graph(self.FILES)) == {
            ("src/shapes/mod.rs::Shape.new", "src/util.rs::helper"),
            ("src/shapes/mod.rs::Shape.new", "src/shapes/mod.rs::Shape.check"),
            ("src/shapes/mod.rs::Shape.new", "src/shapes/round.rs::draw"),
            ("src/shapes/mod.rs::tests.test", "src/shapes/mod.rs::Shape.new"),
            ("src/shapes/round.rs::draw", "src/shapes/mod.rs::Shape.new"),
            ("other/src/lib.rs::f", "my-crate/src/lib.rs::run"),
        }


class TestC:
    FILES: ClassVar = {
        "src/main.c": """\
            #include <stdio.h>
            #include "text.h"
            #include "proj/deep.h"
            static int helper(void) {
                return 1;
            }
            int main(void) {
                helper();
                title("x");
                deep();
                printf("x");
                return 0;
            }
            """,
        "src/text.h": "int title(const char *s);\n",
        "src/text.c": '#include "text.h"\nint title(const char *s) {\n    return 0;\n}\n',
        "include/proj/deep.h": '#include "deeper.h"\n',
        "include/proj/deeper.h": "static inline int deep(void) {\n    return 1;\n}\n",
        "compat/stdio.h": "int printf(const char *s);\n",
    }

    def test_imports(self) -> None:
        assert imports(graph(self.FILES)) == {
            ("src/main.c", "src/text.h"),
            ("src/main.c", "include/proj/deep.h"),
            ("include/proj/deep.h", "include/proj/deeper.h"),
            ("src/text.c", "src/text.h"),
            ("src/text.h", "src/text.c"),
        }

    def test_calls(self) -> None:
        assert called(self.FILES, "src/main.c::main") == {
            "src/main.c::helper",
            "src/text.h::title",
            "src/text.c::title",
            "include/proj/deeper.h::deep",
        }

    def test_members_of_a_class(self) -> None:
        text = """\
            namespace geo {
            class Base {
            public:
                int shared() {
                    return 1;
                }
            };
            class Shape : public Base {
            public:
                int area() {
                    return shared() + this->size() + geo::free();
                }
                int size() {
                    return 2;
                }
            };
            int free() {
                return 3;
            }
            }
            """
        assert called({"a.cpp": text}, "a.cpp::geo.Shape.area") >= {"a.cpp::geo.Shape.size"}


class TestRuby:
    FILES: ClassVar = {
        "lib/gem/text.rb": """\
            module Gem
              class Text
                def initialize
                  setup()
                end
                def setup
                  self.deep
                end
                def deep
                end
              end
            end
            """,
        "lib/gem.rb": "require 'gem/text'\nrequire 'json'\ndef build\n  Gem::Text.new\nend\n",
        "test/test_gem.rb": "require_relative '../lib/gem'\ndef test\n  build()\nend\n",
    }

    def test_imports(self) -> None:
        assert imports(graph(self.FILES)) == {("lib/gem.rb", "lib/gem/text.rb"), ("test/test_gem.rb", "lib/gem.rb")}

    def test_calls(self) -> None:
        assert calls(graph(self.FILES)) == {
            ("lib/gem/text.rb::Gem.Text.initialize", "lib/gem/text.rb::Gem.Text.setup"),
            ("lib/gem/text.rb::Gem.Text.setup", "lib/gem/text.rb::Gem.Text.deep"),
            ("lib/gem.rb::build", "lib/gem/text.rb::Gem.Text"),
            ("lib/gem.rb::build", "lib/gem/text.rb::Gem.Text.initialize"),
            ("test/test_gem.rb::test", "lib/gem.rb::build"),
        }


class TestPHP:
    FILES: ClassVar = {
        "src/Models/User.php": """\
            <?php
            namespace App\\Models;
            class User {
                public function __construct() {
                    $this->load();
                }
                public function load() {
                    return self::all();
                }
                public static function all() {
                    return helper();
                }
            }
            """,
        "src/Http/Controller.php": """\
            <?php
            namespace App\\Http;
            use App\\Models\\User as Model;
            use Vendor\\Package\\Thing;
            require __DIR__ . '/../helpers.php';
            class Controller {
                public function index() {
                    new Model();
                    Model::all();
                    helper();
                    Thing::run();
                }
            }
            """,
        "src/helpers.php": "<?php\nfunction helper() {\n    return 1;\n}\n",
    }

    def test_imports(self) -> None:
        assert imports(graph(self.FILES)) == {
            ("src/Http/Controller.php", "src/Models/User.php"),
            ("src/Http/Controller.php", "src/helpers.php"),
        }

    def test_calls(self) -> None:
        assert calls(graph(self.FILES)) == {
            ("src/Models/User.php::User.__construct", "src/Models/User.php::User.load"),
            ("src/Models/User.php::User.load", "src/Models/User.php::User.all"),
            ("src/Http/Controller.php::Controller.index", "src/Models/User.php::User"),
            ("src/Http/Controller.php::Controller.index", "src/Models/User.php::User.__construct"),
            ("src/Http/Controller.php::Controller.index", "src/Models/User.php::User.all"),
            ("src/Http/Controller.php::Controller.index", "src/helpers.php::helper"),
        }


class TestCSharp:
    FILES: ClassVar = {
        "Text/Title.cs": """\
            namespace App.Text {
                public class Title {
                    public Title() {
                    }
                    public static string Of(string s) {
                        return Upper(s);
                    }
                    static string Upper(string s) {
                        return s;
                    }
                }
            }
            """,
        "Text/Unused.cs": "namespace App.Text {\n    class Unused {\n    }\n}\n",
        "Main.cs": """\
            using System;
            using App.Text;
            namespace App {
                class Main {
                    void Run() {
                        new Title();
                        Title.Of("x");
                        this.Stop();
                        Console.WriteLine("x");
                    }
                    void Stop() {
                    }
                }
            }
            """,
    }

    def test_imports(self) -> None:
        assert imports(graph(self.FILES)) == {("Main.cs", "Text/Title.cs")}

    def test_calls(self) -> None:
        assert calls(graph(self.FILES)) == {
            ("Main.cs::App.Main.Run", "Text/Title.cs::App.Text.Title"),
            ("Main.cs::App.Main.Run", "Text/Title.cs::App.Text.Title.Title"),
            ("Main.cs::App.Main.Run", "Text/Title.cs::App.Text.Title.Of"),
            ("Main.cs::App.Main.Run", "Main.cs::App.Main.Stop"),
            ("Text/Title.cs::App.Text.Title.Of", "Text/Title.cs::App.Text.Title.Upper"),
        }


class TestBash:
    FILES: ClassVar = {
        "bin/run.sh": """\
            source "$(dirname "$0")/../lib/log.sh"
            . ./env.sh
            . "$UNKNOWN"
            main() {
              log_line
              ls
            }
            main
            """,
        "bin/env.sh": "NAME=1\n",
        "lib/log.sh": "log_line() {\n  echo x\n}\n",
    }

    def test_imports(self) -> None:
        assert imports(graph(self.FILES)) == {("bin/run.sh", "lib/log.sh"), ("bin/run.sh", "bin/env.sh")}

    def test_calls(self) -> None:
        assert calls(graph(self.FILES)) == {
            ("bin/run.sh", "bin/run.sh::main"),
            ("bin/run.sh::main", "lib/log.sh::log_line"),
        }
