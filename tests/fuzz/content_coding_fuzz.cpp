// A compressed body never becomes more than the limit, whatever it is, and each step of decoding
// gets somewhere; any bytes come back when they are encoded and decoded.
//
// Input: the body, or any bytes, and a last byte that chooses coding and limit.
#include "http/content_coding.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/status.h"

namespace xcloud {
namespace {

using State = Inflater::State;

constexpr std::size_t kLimits[] = {0, 1, 1000, 300'000};

State Inflate(ContentCoding coding, std::string_view body, std::size_t limit, std::string& out) {
  static BodyPool pool;
  // A copy of its own, so that a read behind its end is seen.
  const auto copy = std::make_unique<char[]>(body.size());
  body.copy(copy.get(), body.size());
  Inflater inflater(coding, {copy.get(), body.size()}, limit, pool);
  const std::size_t most_steps = body.size() + limit / kInflateSlice + 2;
  State state = State::kMore;
  for (std::size_t steps = 0; state == State::kMore; ++steps) {
    XC_CHECK(steps <= most_steps);
    state = inflater.Step();
    XC_CHECK(inflater.size() <= limit + 1);
  }
  XC_CHECK((inflater.size() > limit) == (state == State::kTooLarge));
  if (state == State::kDone) out = inflater.Take().view();
  return state;
}

void CheckRoundTrip(ContentCoding coding, std::string_view text) {
  Deflater deflater(coding, text);
  while (deflater.Step()) {
  }
  std::string back;
  XC_CHECK(Inflate(coding, deflater.Take(), text.size(), back) == State::kDone);
  XC_CHECK(back == text);
}

// As a header it is read without harm, and what is chosen has a name that is read as itself.
void CheckHeader(std::string_view header) {
  const CodingChoice choice = ChooseCoding(header);
  XC_CHECK(ParseContentCoding(ContentCodingName(choice.best)) == choice.best);
  XC_CHECK(!choice.none() || header.find("0") != std::string_view::npos);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data), size - 1);
  const std::uint8_t choice = data[size - 1];
  const ContentCoding coding = (choice & 1) != 0 ? ContentCoding::kGzip : ContentCoding::kDeflate;
  std::string out;
  Inflate(coding, text, kLimits[choice >> 1 & 3], out);
  CheckRoundTrip(coding, text);
  CheckHeader(text);
  return 0;
}

}  // namespace xcloud
