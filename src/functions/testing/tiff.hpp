/// For tests: a picture for which no library is needed.
#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace pawl::functions {

/// What an uncompressed TIFF in grey begins with: one byte for each pixel follows, row by row.
inline std::string grey_tiff_head(std::uint32_t width, std::uint32_t height) {
  constexpr std::size_t kEntries = 9;
  constexpr std::uint32_t kPixels = 8 + 2 + kEntries * 12 + 4;  // where they begin
  std::string head("II*\0", 4);
  const auto put = [&head](std::uint32_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) head += static_cast<char>(static_cast<unsigned char>(value >> (8 * i) & 0xFFU));
  };
  put(8, 4);
  const std::array<std::array<std::uint32_t, 3>, kEntries> entries{{{256, 4, width},
                                                                    {257, 4, height},
                                                                    {258, 3, 8},
                                                                    {259, 3, 1},
                                                                    {262, 3, 1},
                                                                    {273, 4, kPixels},
                                                                    {277, 3, 1},
                                                                    {278, 4, height},
                                                                    {279, 4, width * height}}};
  put(entries.size(), 2);
  for (const auto& [tag, type, value] : entries) {
    put(tag, 2);
    put(type, 2);
    put(1, 4);
    put(value, 4);
  }
  put(0, 4);
  return head;
}

}  // namespace pawl::functions
