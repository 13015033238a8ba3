"""What a server may make us read, wait for, or follow."""

DOCUMENT = 4 << 20  # bytes of a manifest, index or configuration; peers and registries have the same limit
ERROR_BODY = 64 << 10  # bytes read of an answer that tells what went wrong
TOKEN = 1 << 20  # bytes of a token server's answer
HEADERS = 128 << 10  # bytes of all header lines of one answer
LAYERS = 4096  # layers of one image
DEPTH = 3  # indexes inside indexes
REDIRECTS = 5
PAGE = 1000  # tags asked for at once
PAGES = 1000  # of a list of tags
TAGS = 1_000_000

CONNECT = 15.0  # seconds until a connection stands
SILENCE = 60.0  # seconds without a byte
PATIENCE = 120.0  # seconds for a whole document, however slowly it drips
ATTEMPTS = 6  # in a row without any progress
MIRROR_ATTEMPTS = 2  # of a mirror; then the next one, or the origin
MIRROR_RETRY_AFTER = 3.0  # seconds that a mirror may ask for
MIRROR_SILENCE = 15.0  # seconds until a mirror says that it is there
GREETINGS = 3  # attempts to find out whether anybody is there
FIRST_PAUSE = 0.25  # seconds; doubles each time
LONGEST_PAUSE = 15.0  # seconds, of our own choosing
LONGEST_RETRY_AFTER = 120.0  # seconds that a server may ask for

CHUNK = 1 << 18  # bytes read or written at once
UPLOAD_CHUNK = 32 << 20  # bytes of one PATCH: what a lost connection may cost
NEIGHBOURS = 3  # repositories to ask for a blob before it is sent
PARALLEL = 4  # blobs in flight
