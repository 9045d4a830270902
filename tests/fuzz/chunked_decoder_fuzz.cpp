// A chunked body decodes the same however the network cuts it, never to more than the limit; and
// any bytes, sent in chunks of any sizes, come back as they were.
#include "http/chunked_decoder.h"

#include <cstdio>
#include <string>
#include <vector>

#include "core/status.h"
#include "tests/fuzz/fuzz_input.h"

namespace xcloud {
namespace {

using State = ChunkedDecoder::State;

struct Outcome {
  State state = State::kMore;
  std::size_t taken = 0;
  std::string body;

  friend bool operator==(const Outcome&, const Outcome&) = default;
};

Outcome Decode(std::string_view wire, const std::vector<std::size_t>& cuts, std::size_t limit) {
  ChunkedDecoder decoder(limit);
  Outcome outcome;
  std::size_t at = 0;
  for (const std::size_t cut : cuts) {
    const ExactCopy piece(wire.substr(at, cut - at));
    const std::size_t taken = decoder.Feed(piece.view(), outcome.body);
    XC_CHECK(taken <= piece.view().size());
    XC_CHECK(outcome.body.size() <= limit);
    // Bytes are left only once the end is known, and then all are.
    XC_CHECK(taken == piece.view().size() || decoder.state() != State::kMore);
    if (outcome.state != State::kMore) {
      XC_CHECK(taken == 0 && decoder.state() == outcome.state);
    }
    outcome.state = decoder.state();
    outcome.taken += taken;
    at = cut;
  }
  return outcome;
}

// `body` as chunks that end at `cuts`, with an extension and a trailer when `decorated`.
std::string Encode(std::string_view body, const std::vector<std::size_t>& cuts, bool decorated) {
  std::string wire;
  std::size_t at = 0;
  for (const std::size_t cut : cuts) {
    if (cut == at) continue;  // an empty chunk would end the body
    char size[32];
    std::snprintf(size, sizeof size, decorated ? "%04zX" : "%zx", cut - at);
    wire.append(size).append(decorated ? ";a=\"b\"\r\n" : "\r\n");
    wire.append(body.substr(at, cut - at)).append("\r\n");
    at = cut;
  }
  return wire + (decorated ? "00;c\r\nTrailer: x\r\n\r\n" : "0\r\n\r\n");
}

void TestOne(FuzzInput input) {
  const std::size_t limit = input.TakeTwoBytes() % 1024;
  const bool decorated = input.TakeByte() % 2 != 0;
  const auto cuts = input.TakeCuts();
  const std::string_view bytes = input.rest();

  const Outcome whole = Decode(bytes, {bytes.size()}, limit);
  XC_CHECK(Decode(bytes, cuts, limit) == whole);
  if (whole.state == State::kDone) {
    // What follows the body is the next request's; a tighter limit refuses, a byte less is missed.
    const std::string_view exact = bytes.substr(0, whole.taken);
    XC_CHECK(Decode(exact, {exact.size()}, whole.body.size()) == whole);
    XC_CHECK(Decode(exact.substr(0, exact.size() - 1), {exact.size() - 1}, limit).state ==
             State::kMore);
    if (!whole.body.empty()) {
      XC_CHECK(Decode(exact, {exact.size()}, whole.body.size() - 1).state == State::kTooLarge);
    }
  }

  const std::string wire = Encode(bytes, cuts, decorated) + "GET";
  const Outcome back = Decode(wire, {wire.size() / 3, wire.size()}, bytes.size());
  XC_CHECK(back.state == State::kDone && back.body == bytes && back.taken == wire.size() - 3);
}

}  // namespace
}  // namespace xcloud

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  xcloud::TestOne({data, size});
  return 0;
}
