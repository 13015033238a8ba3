"""A webhook of docker-registry tells of our push and pull (distribution's notifications.md)."""

import json
import queue

from runtime.image import Reference
from runtime.registry import pull, push
from tests.registry.listener import Quiet, listening


class Receiver(Quiet):
    def do_POST(self):  # noqa: N802 - http.server's name
        envelope = json.loads(self.body())
        for event in envelope["events"]:
            self.server.owner.put(event)
        self.reply(200)


def endpoint(address):
    fields = f'name: here, url: "http://{address}/events", timeout: 2s, threshold: 3, backoff: 100ms'
    return f"notifications: {{endpoints: [{{{fields}}}]}}"


def until(events, action, media_type):
    """Return the first event of an action on a document of that kind."""
    while True:
        event = events.get(timeout=20)
        if (event["action"], event["target"]["mediaType"]) == (action, media_type):
            return event


def test_a_push_and_a_pull_are_told_of(start_registry, made, store):
    source, image = made
    events = queue.Queue()
    with listening(Receiver, events) as address:
        registry = start_registry(endpoint(address))
        reference = Reference.parse(f"{registry.host}/team/made:1")
        push(source, "made:1", reference)
        event = until(events, "push", "application/vnd.oci.image.manifest.v1+json")
        assert event["target"]["repository"] == "team/made"
        assert event["target"]["tag"] == "1"
        assert event["target"]["digest"] == image.digest
        assert event["request"]["useragent"].startswith("tare")
        pull(store, reference)
        event = until(events, "pull", "application/vnd.oci.image.manifest.v1+json")
        assert event["target"]["digest"] == image.digest
