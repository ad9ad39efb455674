#include "audit/detail/packed.hpp"

#include <zstd.h>

#include <algorithm>
#include <memory>

namespace pawl::audit::detail {
namespace {

constexpr int kLevel = 1;
/// What the fields of a record can add to the texts that `kMaxPackedBytes` counts.
constexpr std::size_t kMaxUnpacked = kMaxPackedBytes + (64U << 10U);

struct FreeCompressor {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};

void put_number(std::string& out, std::uint64_t number) {
  for (; number >= 0x80U; number >>= 7U) out.push_back(static_cast<char>(0x80U | (number & 0x7fU)));
  out.push_back(static_cast<char>(number));
}

void put_signed(std::string& out, std::int64_t number) {
  const auto bits = static_cast<std::uint64_t>(number);
  put_number(out, (bits << 1U) ^ (number < 0 ? ~std::uint64_t{0} : 0));
}

void put_text(std::string& out, std::string_view text) {
  put_number(out, text.size());
  out.append(text);
}

/// Reads what the functions above wrote; after a mistake it is `bad` and answers nothings.
class Fields {
 public:
  explicit Fields(std::string_view text) : text_(text) {}

  std::uint64_t number() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && !text_.empty(); shift += 7) {
      const auto byte = static_cast<std::uint8_t>(text_.front());
      text_.remove_prefix(1);
      value |= std::uint64_t{byte & 0x7fU} << shift;
      if (byte < 0x80U) return value;
    }
    bad_ = true;
    return 0;
  }
  std::int64_t signed_number() {
    const auto bits = number();
    return static_cast<std::int64_t>((bits >> 1U) ^ ((bits & 1U) != 0 ? ~std::uint64_t{0} : 0));
  }
  std::string_view text() {
    const auto size = number();
    if (size > text_.size()) bad_ = true;
    const auto found = bad_ ? std::string_view() : text_.substr(0, size);
    text_.remove_prefix(found.size());
    return found;
  }
  void fail() { bad_ = true; }
  [[nodiscard]] bool bad() const { return bad_; }
  [[nodiscard]] bool at_end() const { return text_.empty(); }

 private:
  std::string_view text_;
  bool bad_ = false;
};

Entry read_entry(Fields& in, TimePoint last) {
  Entry entry;
  // Unsigned, since whoever alters the database chooses the numbers.
  const auto millis = static_cast<std::uint64_t>(last.time_since_epoch().count()) + static_cast<std::uint64_t>(in.signed_number());
  entry.at = TimePoint(Millis(static_cast<std::int64_t>(millis)));
  entry.action = in.text();
  entry.resource.type = in.text();
  entry.resource.id = in.text();
  const auto outcome = parse_outcome(in.text());
  if (!outcome) in.fail();
  entry.outcome = outcome.value_or(Outcome::failure);
  entry.request_id = in.text();
  if (const auto run = in.text(); !run.empty()) {
    RunId id;
    if (run.size() != id.uuid.bytes.size()) in.fail();
    std::copy_n(run.begin(), std::min(run.size(), id.uuid.bytes.size()), id.uuid.bytes.begin());
    entry.run = id;
  }
  entry.task = in.text();
  if (const auto duration = in.number(); duration != 0) entry.duration = Millis(static_cast<std::int64_t>(duration - 1));
  entry.details = in.text();
  return entry;
}

}  // namespace

bool Packer::add(const Entry& entry) {
  if (count_ == kMaxPackedRecords || (count_ > 0 && text_.size() + entry.details.size() > kMaxPackedBytes)) return false;
  put_signed(text_, (entry.at - last_).count());
  put_text(text_, entry.action);
  put_text(text_, entry.resource.type);
  put_text(text_, entry.resource.id);
  put_text(text_, to_text(entry.outcome));
  put_text(text_, entry.request_id);
  const auto* const run = entry.run ? entry.run->uuid.bytes.data() : nullptr;
  put_text(text_, run == nullptr ? std::string_view() : std::string_view(reinterpret_cast<const char*>(run), sizeof entry.run->uuid.bytes));
  put_text(text_, entry.task);
  put_number(text_, entry.duration ? static_cast<std::uint64_t>(std::max<std::int64_t>(entry.duration->count(), 0)) + 1 : 0);
  put_text(text_, entry.details);
  last_ = entry.at;
  ++count_;
  return true;
}

std::string Packer::take() {
  thread_local const std::unique_ptr<ZSTD_CCtx, FreeCompressor> context(ZSTD_createCCtx());
  std::string out(ZSTD_compressBound(text_.size()), '\0');
  const auto size = ZSTD_compressCCtx(context.get(), out.data(), out.size(), text_.data(), text_.size(), kLevel);
  out.resize(ZSTD_isError(size) != 0 ? 0 : size);  // an error is for a too small buffer only, and this one is not
  *this = {};
  return out;
}

std::optional<std::vector<Entry>> unpack(std::string_view body, std::size_t count) {
  const auto size = ZSTD_getFrameContentSize(body.data(), body.size());
  if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN || size > kMaxUnpacked || count > kMaxPackedRecords) return {};
  std::string text(static_cast<std::size_t>(size), '\0');
  const auto got = ZSTD_decompress(text.data(), text.size(), body.data(), body.size());
  if (ZSTD_isError(got) != 0 || got != text.size()) return {};
  Fields in(text);
  std::vector<Entry> entries;
  entries.reserve(count);
  TimePoint last{};
  while (entries.size() < count && !in.bad()) {
    entries.push_back(read_entry(in, last));
    last = entries.back().at;
  }
  if (in.bad() || !in.at_end()) return {};
  return entries;
}

}  // namespace pawl::audit::detail
