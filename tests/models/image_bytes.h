// Encoded images made by tests: by OpenCV from pixels, or byte by byte for headers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>

namespace xcloud {

inline std::string Encode(const std::string& extension, const cv::Mat& bgr,
                          const std::vector<int>& options = {}) {
  std::vector<std::uint8_t> bytes;
  cv::imencode(extension, bgr, bytes, options);
  return {bytes.begin(), bytes.end()};
}

// Smooth colours that differ in every corner and every channel.
inline cv::Mat Gradient(int width, int height) {
  cv::Mat bgr(height, width, CV_8UC3);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      bgr.at<cv::Vec3b>(y, x) = {
          static_cast<std::uint8_t>(255 * x / width), static_cast<std::uint8_t>(255 * y / height),
          static_cast<std::uint8_t>(255 - 127 * x / width - 127 * y / height)};
    }
  }
  return bgr;
}

inline std::string Be16(std::uint32_t v) {
  return {static_cast<char>(v >> 8), static_cast<char>(v)};
}
inline std::string Be32(std::uint32_t v) {
  return Be16(v >> 16) + Be16(v & 0xFFFF);
}
inline std::string Le16(std::uint32_t v) {
  return {static_cast<char>(v), static_cast<char>(v >> 8)};
}
inline std::string Le32(std::uint32_t v) {
  return Le16(v & 0xFFFF) + Le16(v >> 16);
}

// SOI, `segments`, then a frame header of three channels and the start of a scan.
inline std::string JpegHead(int width, int height, const std::string& segments = "",
                            char frame = '\xC0', char bits = 8, char channels = 3) {
  std::string components;
  for (char c = 1; c <= channels; ++c) components += std::string{c, 0x11, 0};
  return "\xFF\xD8" + segments + '\xFF' + frame +
         Be16(8 + 3 * static_cast<std::uint32_t>(channels)) + bits +
         Be16(static_cast<std::uint32_t>(height)) + Be16(static_cast<std::uint32_t>(width)) +
         channels + components;
}
inline std::string JpegSegment(char marker, const std::string& body) {
  return std::string{'\xFF', marker} + Be16(static_cast<std::uint32_t>(body.size()) + 2) + body;
}

inline std::string PngHead(std::uint32_t width, std::uint32_t height, char depth = 8,
                           char color = 2) {
  return std::string("\x89PNG\r\n\x1A\n") + Be32(13) + "IHDR" + Be32(width) + Be32(height) + depth +
         color + std::string(3, 0) + Be32(0);
}

inline std::string BmpHead(std::int32_t width, std::int32_t height, std::uint32_t bits = 24) {
  return "BM" + Le32(0) + Le32(0) + Le32(54) + Le32(40) + Le32(static_cast<std::uint32_t>(width)) +
         Le32(static_cast<std::uint32_t>(height)) + Le16(1) + Le16(bits) + std::string(24, 0);
}

inline std::string WebpChunk(std::string_view name, const std::string& body) {
  std::string chunk = std::string(name) + Le32(static_cast<std::uint32_t>(body.size())) + body;
  if (body.size() % 2 != 0) chunk += '\0';
  return chunk;
}
inline std::string Webp(const std::string& chunks) {
  return "RIFF" + Le32(static_cast<std::uint32_t>(chunks.size()) + 4) + "WEBP" + chunks;
}
inline std::string Webp24(std::uint32_t v) {
  return Le16(v & 0xFFFF) + static_cast<char>(v >> 16);
}
inline std::string WebpExtendedHead(std::uint32_t width, std::uint32_t height, char flags = 0) {
  return WebpChunk("VP8X", flags + std::string(3, 0) + Webp24(width - 1) + Webp24(height - 1));
}

// A TIFF block with one entry: orientation. Big endian, as most cameras write it.
inline std::string ExifBlock(int orientation) {
  return std::string("MM\0*", 4) + Be32(8) + Be16(1) + Be16(0x0112) + Be16(3) + Be32(1) +
         Be16(static_cast<std::uint32_t>(orientation)) + Be16(0) + Be32(0);
}

}  // namespace xcloud
