"""What openapi_test.py's schemathesis sends where the document says "bytes": often a real photo, so
that requests get past the decoder, and sometimes anything."""

import schemathesis
from hypothesis import strategies

import server

PHOTOS = [server.photo(width, height, form=form)
          for width, height, form in [(64, 48, 'JPEG'), (300, 200, 'PNG'), (8, 8, 'WEBP'),
                                      (33, 65, 'BMP')]]
bodies = strategies.one_of(strategies.sampled_from(PHOTOS), strategies.sampled_from(PHOTOS),
                           strategies.binary(max_size=256),
                           strategies.sampled_from(PHOTOS).map(lambda photo: photo[:100]))

schemathesis.openapi.media_type('image/jpeg', bodies,
                                aliases=['image/png', 'image/webp', 'image/bmp',
                                         'application/octet-stream'])
