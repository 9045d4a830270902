// Our reading of a JPEG's header and libjpeg's agree: the size limit is applied to what the decoder
// will allocate, and no photo that it could read is refused but for a reason of our own.
#include <csetjmp>
#include <cstdio>

#include <jpeglib.h>

#include "core/status.h"
#include "models/image_header.h"
#include "tests/fuzz/fuzz_input.h"

namespace xcloud {
namespace {

struct Decoder {
  jpeg_decompress_struct info;
  jpeg_error_mgr errors;
  std::jmp_buf jump;
};

// What libjpeg says before it decodes. No C++ objects here: an error jumps.
bool ReadWithLibjpeg(Decoder& decoder, std::string_view bytes) {
  decoder.info.err = jpeg_std_error(&decoder.errors);
  decoder.info.client_data = &decoder;
  decoder.errors.emit_message = [](j_common_ptr, int) {};
  decoder.errors.error_exit = [](j_common_ptr info) {
    std::longjmp(static_cast<Decoder*>(info->client_data)->jump, 1);
  };
  if (setjmp(decoder.jump) != 0) return false;
  jpeg_create_decompress(&decoder.info);
  jpeg_mem_src(&decoder.info, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  return jpeg_read_header(&decoder.info, TRUE) == JPEG_HEADER_OK;
}

void TestOne(std::string_view input) {
  const ExactCopy copy(input);
  const std::string_view bytes = copy.view();
  if (!bytes.starts_with("\xFF\xD8\xFF")) return;
  Decoder decoder{};
  const bool read = ReadWithLibjpeg(decoder, bytes);
  const jpeg_decompress_struct& info = decoder.info;
  const Result<ImageHeader> header = ReadImageHeader(bytes);
  if (read && header.ok()) {
    XC_CHECK(header->width == info.image_width && header->height == info.image_height);
    XC_CHECK(header->channels == info.num_components && header->bits == info.data_precision);
  } else if (read && header.status().code() == StatusCode::kUnsupportedMedia) {
    XC_CHECK(info.num_components == 2 || info.num_components > 4);
  } else if (read) {
    // libjpeg takes a segment's length of 0 or 1 for 2. No encoder writes that; we do not guess.
    XC_CHECK(header.status().message().ends_with("a segment shorter than its own length"));
  }
  jpeg_destroy_decompress(&decoder.info);
}

}  // namespace
}  // namespace xcloud

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  xcloud::TestOne({reinterpret_cast<const char*>(data), size});
  return 0;
}
