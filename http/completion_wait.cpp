#include "http/completion_wait.h"

#include "core/status.h"

namespace xcloud {

HttpError NotAnswered(WaitEnd end, std::string too_late) {
  switch (end) {
    case WaitEnd::kTooLate:
      return MakeHttpError(504, std::move(too_late));
    case WaitEnd::kClientGone:
      return MakeHttpError(kStatusClientGone, "the client closed the connection");
    case WaitEnd::kStopping:
      return MakeHttpError(503, "the server is stopping");
    case WaitEnd::kAnswered:
      break;
  }
  XC_CHECK(false);
}

}  // namespace xcloud
