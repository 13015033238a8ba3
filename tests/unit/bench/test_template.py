"""--format: what docker's users write, against what Go's text/template makes of it."""

import pytest

from bench.cli.template import render
from runtime.errors import RuntimeFault

VALUE = {
    "Name": "/web", "Args": ["-c", "echo"], "RestartCount": 0,
    "State": {"Pid": 42, "Running": True, "Dead": False, "Error": ""},
    "Config": {"Labels": {"tier": "web", "a.b": "c"}, "Entrypoint": None},
    "Mounts": [{"Destination": "/a", "RW": True}, {"Destination": "/b", "RW": False}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{.State.Pid}}", "42"),
        ("{{ .Name }}: {{.State.Running}}", "/web: true"),
        ("{{json .Args}}", '["-c","echo"]'),
        ("{{.Args}}", "[-c echo]"),
        ("{{.Config.Labels}}", "map[a.b:c tier:web]"),
        ("{{.Config.Entrypoint}}", "<nil>"),
        ("{{json .Config.Entrypoint}}", "null"),
        ('{{index .Config.Labels "a.b"}}', "c"),
        ('{{index .Config.Labels "none"}}', ""),
        ("{{index .Args 1}}", "echo"),
        ("{{(index .Mounts 0).Destination}}", "/a"),
        ("{{len .Mounts}}", "2"),
        ('{{join .Args " "}}', "-c echo"),
        ("{{.Name | upper}}", "/WEB"),
        ("{{range .Mounts}}{{.Destination}} {{end}}", "/a /b "),
        ("{{range $k, $v := .Config.Labels}}{{$k}}={{$v}};{{end}}", "a.b=c;tier=web;"),
        ("{{range .Mounts}}{{if .RW}}{{.Destination}}{{else}}-{{end}}{{$.Name}}{{end}}", "/a/web-/web"),
        ("{{if .State.Dead}}dead{{else}}alive{{end}}", "alive"),
        ("{{with .State}}{{.Pid}}{{end}}", "42"),
        ("{{if eq .Name \"/web\"}}yes{{end}}", "yes"),
        ("{{if and .State.Running (not .State.Dead)}}up{{end}}", "up"),
        ("{{printf \"%s is %v\" .Name .State.Running}}", "/web is true"),
        ("{{println .Name .RestartCount}}", "/web 0\n"),
        ("a\\tb\\n", "a\tb\n"),
        ("  {{- .Name -}}  x", "/webx"),
        ("plain", "plain"),
    ],
)  # fmt: skip
def test_templates(template, text):
    assert render(template, VALUE) == text


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{{.State.Nothing}}", "there is no field Nothing in .State.Nothing"),
        ("{{.Name.Deep}}", "there is no field Deep"),
        ("{{nothing}}", "is no field, such as .Name, nor a function"),
        ("{{if .Name}}", "if has no end"),
        ("{{.Name", "has no end"),
        ("{{end}}", "is out of place"),
        ("{{.Name .Args}}", "is no expression"),
        ("{{index .Args 9}}", "does not fit its function"),
        ("{{len}}", "does not fit its function"),
        ("{{}}", "is out of place"),
        ("{{(len .Args}}", "has no end"),
    ],
)
def test_what_is_not_understood_is_said(template, says):
    with pytest.raises(RuntimeFault, match=says):
        render(template, VALUE)
