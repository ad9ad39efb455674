#include "functions/detail/html.hpp"

#include <fmt/format.h>
#include <gumbo.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <csetjmp>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/utf8.hpp"
#include "functions/detail/encoding.hpp"

namespace pawl::functions {
namespace {

constexpr std::size_t kMemoryBase = 32U << 20U;
constexpr std::size_t kMemoryPerByte = 20;
constexpr std::size_t kMaxText = 8U << 20U;

// Gumbo needs quadratic time and memory for some pages and frees its tree recursively, so a hostile page could hold a thread or end the
// process. It allocates from here instead: over budget, the parse is left by a jump out of its C code, and the tree is freed as a whole.
class Arena {
 public:
  Arena(std::size_t budget, Millis max_time) : budget_(budget), deadline_(std::chrono::steady_clock::now() + max_time) {}

  jmp_buf give_up{};

  static void* allocate(void* self, std::size_t size) { return static_cast<Arena*>(self)->take(size); }
  static void release(void* /*self*/, void* /*memory*/) {}

 private:
  static constexpr std::size_t kBlock = 256 * 1024;
  static constexpr std::uint32_t kLookAtClock = 1024;

  void* take(std::size_t size) {
    size = (size + alignof(std::max_align_t) - 1) / alignof(std::max_align_t) * alignof(std::max_align_t);
    if (size > left_ && !grow(size)) longjmp(give_up, 1);
    if (++calls_ % kLookAtClock == 0 && std::chrono::steady_clock::now() > deadline_) longjmp(give_up, 1);
    left_ -= size;
    return std::exchange(next_, next_ + size);
  }
  bool grow(std::size_t size) {
    const std::size_t block = std::max(size, kBlock);
    if (block > budget_) return false;
    budget_ -= block;
    blocks_.push_back(std::make_unique<char[]>(block));
    next_ = blocks_.back().get();
    left_ = block;
    return true;
  }

  std::vector<std::unique_ptr<char[]>> blocks_;
  char* next_ = nullptr;
  std::size_t left_ = 0;
  std::size_t budget_;
  std::uint32_t calls_ = 0;
  std::chrono::steady_clock::time_point deadline_;
};

// Nothing with a destructor may live in this frame.
const GumboOutput* parse_in(Arena* arena, const char* text, std::size_t length) {
  GumboOptions options = kGumboDefaultOptions;
  options.max_errors = 0;
  options.allocator = Arena::allocate;
  options.deallocator = Arena::release;
  options.userdata = arena;
  if (setjmp(arena->give_up) != 0) return nullptr;
  return gumbo_parse_with_options(&options, text, length);
}

void append_collapsed(std::string& out, std::string_view text) {
  for (const char c : text) {
    const bool space = std::isspace(static_cast<unsigned char>(c)) != 0;
    if (!space) {
      out += c;
    } else if (!out.empty() && out.back() != ' ') {
      out += ' ';
    }
  }
}

bool breaks_words(GumboTag tag) {
  switch (tag) {
    case GUMBO_TAG_BR:
    case GUMBO_TAG_P:
    case GUMBO_TAG_DIV:
    case GUMBO_TAG_LI:
    case GUMBO_TAG_TR:
    case GUMBO_TAG_TD:
    case GUMBO_TAG_TH:
    case GUMBO_TAG_DT:
    case GUMBO_TAG_DD:
    case GUMBO_TAG_H1:
    case GUMBO_TAG_H2:
    case GUMBO_TAG_H3:
    case GUMBO_TAG_H4:
    case GUMBO_TAG_H5:
    case GUMBO_TAG_H6: return true;
    default: return false;
  }
}

}  // namespace

struct HtmlPage::Tree {
  Tree(std::string page, Millis max_time) : text(std::move(page)), arena(kMemoryBase + kMemoryPerByte * text.size(), max_time) {}
  std::string text;  // the tree points into it
  Arena arena;
  const GumboOutput* output = nullptr;
};

Result<HtmlPage> HtmlPage::parse(std::string text, Millis max_time) {
  if (text.size() > kMaxText) return Error(ErrorClass::too_large, "html.limit", fmt::format("the page is larger than {} bytes", kMaxText));
  HtmlPage page;
  page.tree_ = std::make_shared<Tree>(to_utf8(std::move(text)), max_time);
  page.tree_->output = parse_in(&page.tree_->arena, page.tree_->text.data(), page.tree_->text.size());
  if (page.tree_->output == nullptr) return Error(ErrorClass::too_large, "html.limit", "the page's markup needs too much time or memory");
  return page;
}

const GumboInternalNode* HtmlPage::root() const { return tree_->output->root; }

std::string HtmlPage::title() const {
  const auto selector = Selector::parse("title");
  const auto found = selector->select(root(), 1);
  return found.has_value() && !found->empty() ? text_of(found->front()) : std::string();
}

std::string text_of(const GumboInternalNode* node) {
  std::string out;
  std::vector<const GumboNode*> open = {node};
  while (!open.empty()) {
    const GumboNode* next = open.back();
    open.pop_back();
    if (next->type == GUMBO_NODE_TEXT || next->type == GUMBO_NODE_WHITESPACE || next->type == GUMBO_NODE_CDATA) {
      append_collapsed(out, next->v.text.text);
    } else if (next->type == GUMBO_NODE_ELEMENT) {
      const GumboTag tag = next->v.element.tag;
      if (tag == GUMBO_TAG_SCRIPT || tag == GUMBO_TAG_STYLE) continue;
      if (breaks_words(tag)) append_collapsed(out, " ");
      const GumboVector& children = next->v.element.children;
      for (unsigned i = children.length; i > 0; --i) open.push_back(static_cast<const GumboNode*>(children.data[i - 1]));
    }
  }
  while (out.ends_with(' ')) out.pop_back();
  return out;
}

std::optional<std::string> attribute_text(const GumboInternalNode* node, const std::string& name) {
  const GumboAttribute* attribute = gumbo_get_attribute(&node->v.element.attributes, name.c_str());
  if (attribute == nullptr) return std::nullopt;
  return std::string(attribute->value);
}

}  // namespace pawl::functions
