#include "models/decode_jpeg.h"

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include <jpeglib.h>
// After jpeglib.h, whose options decide which messages exist.
#include <jerror.h>

#include "models/exif_orientation.h"

namespace xcloud {
namespace {

// A progressive file may repeat scans over all pixels without end, each costing a full pass; real
// encoders write about 10. libjpeg-turbo's "Two Issues with the JPEG Standard" asks for a bound.
constexpr int kMaxScans = 100;
// Pixels times scans: 20 passes over the largest photo that is taken by default.
constexpr std::int64_t kMaxScannedPixels = 1'000'000'000;

// libjpeg reports through callbacks and leaves by longjmp, so no frame between setjmp and a
// libjpeg call may own anything: every buffer is a member, sized outside.
class JpegReader {
 public:
  explicit JpegReader(std::string_view bytes) : bytes_(bytes) {
    info_.err = jpeg_std_error(&errors_);
    errors_.error_exit = OnError;
    errors_.emit_message = OnMessage;
    errors_.output_message = [](j_common_ptr) {};
    info_.client_data = this;
  }
  ~JpegReader() { jpeg_destroy_decompress(&info_); }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;

  bool ReadHeader() {
    if (setjmp(jump_) != 0) return false;
    jpeg_create_decompress(&info_);
    progress_.progress_monitor = OnProgress;
    info_.progress = &progress_;
    jpeg_save_markers(&info_, JPEG_APP0 + 1, 0xFFFF);
    jpeg_mem_src(&info_, reinterpret_cast<const unsigned char*>(bytes_.data()), bytes_.size());
    jpeg_read_header(&info_, TRUE);
    return true;
  }

  // Sets the output size. `denominator` is 1, 2, 4 or 8.
  bool Start(unsigned denominator) {
    if (setjmp(jump_) != 0) return false;
    info_.scale_num = 1;
    info_.scale_denom = denominator;
    info_.out_color_space = info_.num_components == 4 ? JCS_CMYK : JCS_RGB;
    jpeg_start_decompress(&info_);
    return true;
  }

  // REQUIRES: rgb holds the output size; `cmyk_row` one row of it when the file has 4 channels.
  bool ReadRows(std::uint8_t* rgb, std::uint8_t* cmyk_row) {
    if (setjmp(jump_) != 0) return false;
    const std::size_t row_bytes = std::size_t{info_.output_width} * 3;
    while (info_.output_scanline < info_.output_height) {
      std::uint8_t* to = rgb + row_bytes * info_.output_scanline;
      JSAMPROW row = cmyk_row != nullptr ? cmyk_row : to;
      jpeg_read_scanlines(&info_, &row, 1);
      if (cmyk_row != nullptr) ConvertCmyk(cmyk_row, info_.output_width, to);
    }
    jpeg_finish_decompress(&info_);  // reads on to the end marker: its absence is an error
    return true;
  }

  int Orientation() const {
    for (auto* marker = info_.marker_list; marker != nullptr; marker = marker->next) {
      const std::string_view data(reinterpret_cast<const char*>(marker->data), marker->data_length);
      if (data.starts_with("Exif")) return ReadExifOrientation(data);
    }
    return 1;
  }
  const jpeg_decompress_struct& info() const { return info_; }
  Status error() const { return Status::InvalidArgument(message_.data()); }

 private:
  static JpegReader& Self(j_common_ptr info) {
    return *static_cast<JpegReader*>(info->client_data);
  }

  [[noreturn]] void Fail(const char* format, const char* detail) {
    std::snprintf(message_.data(), message_.size(), format, detail);
    std::longjmp(jump_, 1);
  }

  [[noreturn]] static void OnError(j_common_ptr info) {
    char detail[JMSG_LENGTH_MAX];
    info->err->format_message(info, detail);
    Self(info).Fail("the JPEG cannot be decoded: %s", detail);
  }

  // libjpeg's warnings mean that it invented pixels and went on. These we do not take; what is
  // left (stray bytes, odd version numbers) leaves the picture whole.
  static void OnMessage(j_common_ptr info, int level) {
    if (level >= 0) return;
    switch (info->err->msg_code) {
      case JWRN_JPEG_EOF:
      case JWRN_HIT_MARKER:
        Self(info).Fail("the JPEG is cut short: %s", "its picture data end too early");
      case JWRN_HUFF_BAD_CODE:
      case JWRN_ARITH_BAD_CODE:
      case JWRN_MUST_RESYNC:
      case JWRN_BOGUS_PROGRESSION:
        Self(info).Fail("the JPEG is corrupt: %s", "its picture data cannot be read");
      default:
        return;
    }
  }

  static void OnProgress(j_common_ptr info) {
    const auto* decompress = reinterpret_cast<j_decompress_ptr>(info);
    const std::int64_t scans = decompress->input_scan_number;
    const std::int64_t pixels =
        std::int64_t{decompress->image_width} * std::int64_t{decompress->image_height};
    if (scans > kMaxScans || (scans > 1 && scans * pixels > kMaxScannedPixels)) {
      Self(info).Fail("the JPEG has too many scans: %s", "at most 100, fewer for a large photo");
    }
  }

  // Inverted CMYK to RGB with Pillow's rounding: channel = k - (255 - ink) * k / 255.
  static void ConvertCmyk(const std::uint8_t* cmyk, std::size_t pixels, std::uint8_t* rgb) {
    for (std::size_t i = 0; i < pixels; ++i, cmyk += 4, rgb += 3) {
      const int k = cmyk[3];
      for (int c = 0; c < 3; ++c) {
        const int product = (255 - cmyk[c]) * k + 128;
        rgb[c] = static_cast<std::uint8_t>(k - ((product + (product >> 8)) >> 8));
      }
    }
  }

  const std::string_view bytes_;
  jpeg_decompress_struct info_{};
  jpeg_error_mgr errors_{};
  jpeg_progress_mgr progress_{};
  std::jmp_buf jump_;
  std::array<char, JMSG_LENGTH_MAX + 64> message_{};
};

// Powers of two only: libjpeg-turbo's SIMD covers no other scale.
unsigned Denominator(const ImageHeader& header, int min_short_side) {
  if (min_short_side <= 0) return 1;
  const std::int64_t side = std::min(header.width, header.height);
  for (const unsigned denominator : {8U, 4U, 2U}) {
    if (side / denominator >= min_short_side) return denominator;
  }
  return 1;
}

}  // namespace

Result<StoredImage> DecodeJpeg(std::string_view bytes, const ImageHeader& header,
                               int min_short_side) {
  JpegReader reader(bytes);
  if (!reader.ReadHeader()) return reader.error();
  if (reader.info().image_width != header.width || reader.info().image_height != header.height) {
    return Status::InvalidArgument("the JPEG is corrupt: it states two sizes");
  }
  if (!reader.Start(Denominator(header, min_short_side))) return reader.error();
  StoredImage stored;
  stored.orientation = reader.Orientation();
  stored.image.width = static_cast<int>(reader.info().output_width);
  stored.image.height = static_cast<int>(reader.info().output_height);
  const std::size_t width = reader.info().output_width;
  stored.image.rgb.resize(width * reader.info().output_height * 3);
  std::vector<std::uint8_t> cmyk_row(reader.info().out_color_components == 4 ? width * 4 : 0);
  if (!reader.ReadRows(stored.image.rgb.data(), cmyk_row.empty() ? nullptr : cmyk_row.data())) {
    return reader.error();
  }
  return stored;
}

}  // namespace xcloud
