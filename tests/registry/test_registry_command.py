"""`tare image pull` and `push` as a person types them."""


def test_push_pull_and_list(tare, registry, tmp_path, made):
    _, image = made
    pushed = tare("image", "push", "made:1", f"{registry.host}/lab/made:1")
    assert pushed.stdout.strip() == image.digest
    assert f"{image.layers[0].digest.short} done" in pushed.stderr
    other = tmp_path / "other"
    pulled = tare("image", "pull", "--tls-verify=true", f"{registry.host}/lab/made:1", root=other)
    assert pulled.stdout.strip() == image.digest
    assert f"{registry.host}/lab/made:1" in tare("image", "ls", root=other).stdout
    again = tare("image", "pull", "-q", f"{registry.host}/lab/made:1", root=other)
    assert again.stderr == ""


def test_faults_are_a_line_and_a_hint(tare, registry):
    done = tare("image", "pull", f"{registry.host}/lab/none", code=2)
    assert done.stderr.startswith("tare: cannot fetch the manifest latest of ")
    assert "\n  hint: " in done.stderr
    assert "not a platform" in tare("image", "pull", "--platform", "x", "a", code=2).stderr
