#include "json/value.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <functional>
#include <memory>

#include "base/assert.hpp"

namespace pawl::json {
namespace detail {
namespace {

thread_local std::int64_t live_bytes_count = 0;

/// Counts what values hold, per thread, so that an expression can be stopped before it eats the machine.
template <class T>
struct CountingAllocator {
  using value_type = T;
  CountingAllocator() = default;
  template <class U>
  explicit CountingAllocator(const CountingAllocator<U>&) noexcept {}
  T* allocate(std::size_t count) {
    T* memory = std::allocator<T>{}.allocate(count);
    live_bytes_count += static_cast<std::int64_t>(count * sizeof(T));
    return memory;
  }
  void deallocate(T* memory, std::size_t count) noexcept {
    live_bytes_count -= static_cast<std::int64_t>(count * sizeof(T));
    std::allocator<T>{}.deallocate(memory, count);
  }
  friend bool operator==(const CountingAllocator&, const CountingAllocator&) { return true; }
};

}  // namespace

struct Rep {
  std::atomic<std::uint32_t> references{1};
  std::uint32_t depth = 0;  // of this container; see Value::depth
};

struct StringRep : Rep {
  explicit StringRep(std::string value) : text(std::move(value)) { live_bytes_count += footprint(); }
  StringRep(const StringRep&) = delete;
  StringRep& operator=(const StringRep&) = delete;
  ~StringRep() { live_bytes_count -= footprint(); }
  [[nodiscard]] std::int64_t footprint() const { return static_cast<std::int64_t>(sizeof(StringRep) + text.capacity()); }
  const std::string text;
};

struct ArrayRep : Rep {
  ArrayRep() { live_bytes_count += static_cast<std::int64_t>(sizeof(ArrayRep)); }
  ArrayRep(const ArrayRep&) = delete;
  ArrayRep& operator=(const ArrayRep&) = delete;
  ~ArrayRep() { live_bytes_count -= static_cast<std::int64_t>(sizeof(ArrayRep)); }
  std::vector<Value, CountingAllocator<Value>> items;
};

/// Members in insertion order. Above kIndexFrom members an open-addressing table of positions stands beside them (0 = free, else
/// position + 1; at most half full).
struct ObjectRep : Rep {
  static constexpr std::size_t kIndexFrom = 12;

  ObjectRep() { live_bytes_count += static_cast<std::int64_t>(sizeof(ObjectRep)); }
  ObjectRep(const ObjectRep&) = delete;
  ObjectRep& operator=(const ObjectRep&) = delete;
  ~ObjectRep() { live_bytes_count -= static_cast<std::int64_t>(sizeof(ObjectRep)); }

  [[nodiscard]] std::size_t position(std::string_view key) const noexcept {
    if (index.empty()) {
      for (std::size_t i = 0; i < members.size(); ++i) {
        if (members[i].name() == key) return i;
      }
      return members.size();
    }
    for (std::size_t slot = std::hash<std::string_view>{}(key) & (index.size() - 1);; slot = (slot + 1) & (index.size() - 1)) {
      if (index[slot] == 0) return members.size();
      if (members[index[slot] - 1].name() == key) return index[slot] - 1;
    }
  }

  void append(Value key, Value value) {
    depth = std::max(depth, value.depth() + 1);
    members.push_back({std::move(key), std::move(value)});
    if (members.size() > kIndexFrom) {
      if (members.size() * 2 > index.size()) {
        rebuild();
      } else {
        enter(members.size() - 1);
      }
    }
  }

  void rebuild() {
    index.clear();
    if (members.size() <= kIndexFrom) return;
    std::size_t slots = 64;
    while (slots < members.size() * 4) slots *= 2;
    index.assign(slots, 0);
    for (std::size_t i = 0; i < members.size(); ++i) enter(i);
  }

  void enter(std::size_t at) {
    std::size_t slot = std::hash<std::string_view>{}(members[at].name()) & (index.size() - 1);
    while (index[slot] != 0) slot = (slot + 1) & (index.size() - 1);
    index[slot] = static_cast<std::uint32_t>(at + 1);
  }

  std::vector<Member, CountingAllocator<Member>> members;
  std::vector<std::uint32_t, CountingAllocator<std::uint32_t>> index;
};

}  // namespace detail

using detail::ArrayRep;
using detail::ObjectRep;
using detail::StringRep;

namespace {

const Value kNull{};

/// Containers whose last reference went away while another one is being destroyed wait here, so depth costs no stack. The list belongs to
/// the outermost destruction; a pointer has no destructor, so values of static storage may still die after the thread's own variables.
thread_local std::vector<Value>* graveyard = nullptr;

bool is_container(const Value& value) { return value.kind() == Kind::array || value.kind() == Kind::object; }

}  // namespace

Value::Value(std::string_view text) : Value(std::string(text)) {}

Value::Value(std::string&& text) : kind_(Kind::string) { payload_.rep = new StringRep(std::move(text)); }

Value Value::array() {
  Value value;
  value.payload_.rep = new ArrayRep;
  value.payload_.rep->depth = 1;
  value.kind_ = Kind::array;
  return value;
}

Value Value::array(std::vector<Value> items) {
  Value value = array();
  auto& rep = value.own_array();
  rep.items.reserve(items.size());
  for (auto& item : items) {
    rep.depth = std::max(rep.depth, item.depth() + 1);
    rep.items.push_back(std::move(item));
  }
  return value;
}

Value Value::array(std::initializer_list<Value> items) { return array(std::vector<Value>(items)); }

Value Value::object() {
  Value value;
  value.payload_.rep = new ObjectRep;
  value.payload_.rep->depth = 1;
  value.kind_ = Kind::object;
  return value;
}

Value Value::object(std::initializer_list<std::pair<std::string_view, Value>> members) {
  Value value = object();
  for (const auto& [key, member] : members) value.set(key, member);
  return value;
}

void Value::retain() const noexcept {
  if (kind_ >= Kind::string) payload_.rep->references.fetch_add(1, std::memory_order_relaxed);
}

void Value::release() noexcept {
  detail::Rep* rep = payload_.rep;
  // A sole owner needs no atomic write: nobody else can gain a reference meanwhile.
  if (rep->references.load(std::memory_order_acquire) != 1 && rep->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  const Kind kind = std::exchange(kind_, Kind::null);
  if (kind == Kind::string) {
    delete static_cast<StringRep*>(rep);
    return;
  }
  // Children that are containers move to the graveyard instead of being destroyed inside this frame.
  std::vector<Value> own_yard;
  const bool outermost = graveyard == nullptr;
  if (outermost) graveyard = &own_yard;
  const auto bury = [](Value& child) {
    if (is_container(child)) graveyard->push_back(std::move(child));
  };
  if (kind == Kind::array) {
    auto* array = static_cast<ArrayRep*>(rep);
    if (array->depth > 1) {
      for (auto& item : array->items) bury(item);
    }
    delete array;
  } else {
    auto* object = static_cast<ObjectRep*>(rep);
    if (object->depth > 1) {
      for (auto& member : object->members) bury(member.value);
    }
    delete object;
  }
  if (!outermost) return;
  while (!own_yard.empty()) {
    const Value next = std::move(own_yard.back());
    own_yard.pop_back();
  }
  graveyard = nullptr;
}

ArrayRep& Value::own_array() {
  PAWL_ASSERT(kind_ == Kind::array, "an array operation needs an array");
  auto* rep = static_cast<ArrayRep*>(payload_.rep);
  if (rep->references.load(std::memory_order_acquire) == 1) return *rep;
  auto copy = std::make_unique<ArrayRep>();
  copy->items.reserve(rep->items.size() + 1);
  copy->items.assign(rep->items.begin(), rep->items.end());
  copy->depth = rep->depth;
  Value replaced;
  replaced.kind_ = Kind::array;
  replaced.payload_.rep = copy.release();
  swap(replaced);
  return *static_cast<ArrayRep*>(payload_.rep);
}

ObjectRep& Value::own_object() {
  PAWL_ASSERT(kind_ == Kind::object, "an object operation needs an object");
  auto* rep = static_cast<ObjectRep*>(payload_.rep);
  if (rep->references.load(std::memory_order_acquire) == 1) return *rep;
  auto copy = std::make_unique<ObjectRep>();
  copy->members.reserve(rep->members.size() + 1);
  copy->members.assign(rep->members.begin(), rep->members.end());
  copy->index = rep->index;
  copy->depth = rep->depth;
  Value replaced;
  replaced.kind_ = Kind::object;
  replaced.payload_.rep = copy.release();
  swap(replaced);
  return *static_cast<ObjectRep*>(payload_.rep);
}

bool Value::as_bool() const {
  PAWL_ASSERT(kind_ == Kind::boolean, "as_bool needs a boolean");
  return payload_.boolean;
}

std::int64_t Value::as_integer() const {
  PAWL_ASSERT(kind_ == Kind::integer, "as_integer needs an integer");
  return payload_.integer;
}

double Value::as_double() const {
  PAWL_ASSERT(is_number(), "as_double needs a number");
  return kind_ == Kind::integer ? static_cast<double>(payload_.integer) : payload_.number;
}

std::string_view Value::as_string() const {
  PAWL_ASSERT(kind_ == Kind::string, "as_string needs a string");
  return static_cast<const StringRep*>(payload_.rep)->text;
}

std::span<const Value> Value::items() const {
  PAWL_ASSERT(kind_ == Kind::array, "items needs an array");
  return static_cast<const ArrayRep*>(payload_.rep)->items;
}

std::span<const Member> Value::members() const {
  PAWL_ASSERT(kind_ == Kind::object, "members needs an object");
  return static_cast<const ObjectRep*>(payload_.rep)->members;
}

std::size_t Value::size() const noexcept {
  switch (kind_) {
    case Kind::string: return static_cast<const StringRep*>(payload_.rep)->text.size();
    case Kind::array: return static_cast<const ArrayRep*>(payload_.rep)->items.size();
    case Kind::object: return static_cast<const ObjectRep*>(payload_.rep)->members.size();
    default: return 0;
  }
}

std::uint32_t Value::depth() const noexcept { return is_container(*this) ? payload_.rep->depth : 0; }

const Value& Value::at(std::size_t index) const {
  const auto all = items();
  PAWL_ASSERT(index < all.size(), "array index within bounds");
  return all[index];
}

void Value::push_back(Value item) {
  auto& rep = own_array();
  rep.depth = std::max(rep.depth, item.depth() + 1);
  rep.items.push_back(std::move(item));
}

void Value::set(std::size_t index, Value item) {
  auto& rep = own_array();
  PAWL_ASSERT(index < rep.items.size(), "array index within bounds");
  rep.depth = std::max(rep.depth, item.depth() + 1);
  rep.items[index] = std::move(item);
}

void Value::reserve(std::size_t capacity) {
  if (kind_ == Kind::array) {
    own_array().items.reserve(capacity);
  } else {
    own_object().members.reserve(capacity);
  }
}

Value Value::take(std::size_t index) {
  auto& rep = own_array();
  PAWL_ASSERT(index < rep.items.size(), "array index within bounds");
  return std::exchange(rep.items[index], Value());
}

const Value* Value::find(std::string_view key) const noexcept {
  if (kind_ != Kind::object) return nullptr;
  const auto* rep = static_cast<const ObjectRep*>(payload_.rep);
  const auto at = rep->position(key);
  return at == rep->members.size() ? nullptr : &rep->members[at].value;
}

const Value& Value::get(std::string_view key) const noexcept {
  const Value* found = find(key);
  return found ? *found : kNull;
}

void Value::set(std::string_view key, Value value) {
  auto& rep = own_object();
  const auto at = rep.position(key);
  if (at == rep.members.size()) {
    rep.append(Value(key), std::move(value));
  } else {
    rep.depth = std::max(rep.depth, value.depth() + 1);
    rep.members[at].value = std::move(value);
  }
}

void Value::set_shared(const Value& key, Value value) {
  auto& rep = own_object();
  const auto at = rep.position(key.as_string());
  if (at == rep.members.size()) {
    rep.append(key, std::move(value));
  } else {
    rep.depth = std::max(rep.depth, value.depth() + 1);
    rep.members[at].value = std::move(value);
  }
}

bool Value::erase(std::string_view key) {
  if (!find(key)) return false;
  auto& rep = own_object();
  rep.members.erase(rep.members.begin() + static_cast<std::ptrdiff_t>(rep.position(key)));
  rep.rebuild();
  return true;
}

Value Value::take(std::string_view key) {
  if (!find(key)) return {};
  auto& rep = own_object();
  return std::exchange(rep.members[rep.position(key)].value, Value());
}

bool operator==(const Value& left, const Value& right) {
  if (left.is_number() && right.is_number()) return compare(left, right) == 0;
  if (left.kind_ != right.kind_) return false;
  switch (left.kind_) {
    case Kind::null: return true;
    case Kind::boolean: return left.payload_.boolean == right.payload_.boolean;
    case Kind::string: return left.same_storage(right) || left.as_string() == right.as_string();
    case Kind::array: {
      const auto a = left.items();
      const auto b = right.items();
      return left.same_storage(right) || std::equal(a.begin(), a.end(), b.begin(), b.end());
    }
    case Kind::object: {
      if (left.same_storage(right)) return true;
      if (left.size() != right.size()) return false;
      for (const auto& member : left.members()) {
        const Value* other = right.find(member.name());
        if (!other || !(member.value == *other)) return false;
      }
      return true;
    }
    default: return false;
  }
}

namespace {

int compare_numbers(const Value& left, const Value& right) {
  if (left.is_integer() && right.is_integer()) {
    return left.as_integer() < right.as_integer() ? -1 : static_cast<int>(left.as_integer() > right.as_integer());
  }
  const double a = left.as_double();
  const double b = right.as_double();
  // jq: nan is less than every number, itself included.
  if (std::isnan(a)) return -1;
  if (std::isnan(b)) return 1;
  return a < b ? -1 : static_cast<int>(a > b);
}

std::vector<const Member*> sorted_members(const Value& object) {
  std::vector<const Member*> sorted;
  sorted.reserve(object.size());
  for (const auto& member : object.members()) sorted.push_back(&member);
  std::sort(sorted.begin(), sorted.end(), [](const Member* a, const Member* b) { return a->name() < b->name(); });
  return sorted;
}

int sign(int value) { return static_cast<int>(value > 0) - static_cast<int>(value < 0); }

int compare_objects(const Value& left, const Value& right) {
  const auto a = sorted_members(left);
  const auto b = sorted_members(right);
  for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) {
    if (const int order = a[i]->name().compare(b[i]->name())) return sign(order);
  }
  if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (const int order = compare(a[i]->value, b[i]->value)) return order;
  }
  return 0;
}

int rank(const Value& value) {
  switch (value.kind()) {
    case Kind::null: return 0;
    case Kind::boolean: return value.as_bool() ? 2 : 1;
    case Kind::integer:
    case Kind::number: return 3;
    case Kind::string: return 4;
    case Kind::array: return 5;
    case Kind::object: return 6;
  }
  return 0;
}

}  // namespace

int compare(const Value& left, const Value& right) {
  const int difference = rank(left) - rank(right);
  if (difference != 0) return sign(difference);
  switch (left.kind()) {
    case Kind::integer:
    case Kind::number: return compare_numbers(left, right);
    case Kind::string: return sign(left.as_string().compare(right.as_string()));  // UTF-8 byte order is code point order
    case Kind::array: {
      const auto a = left.items();
      const auto b = right.items();
      for (std::size_t i = 0; i < a.size() && i < b.size(); ++i) {
        if (const int order = compare(a[i], b[i])) return order;
      }
      return a.size() < b.size() ? -1 : static_cast<int>(a.size() > b.size());
    }
    case Kind::object: return compare_objects(left, right);
    default: return 0;
  }
}

std::int64_t live_bytes() noexcept { return detail::live_bytes_count; }

}  // namespace pawl::json
