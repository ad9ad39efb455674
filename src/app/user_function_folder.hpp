/// The folder of user functions in a running program: read at the start, whenever something changes in it, and when an administrator asks.
///
/// What is sound is published to the registry; what is not is logged once, and disturbs nothing. Plans keep what they were compiled with.
/// A thread of its own follows the folder (inotify); where the folder's file system does not tell of changes there is still `read`.
#pragma once

#include <memory>
#include <string>

#include "engine/function.hpp"
#include "json/value.hpp"

namespace pawl::app {

class UserFunctionFolder {
 public:
  /// Reads the folder, and from then on follows it if `follow`. `path` empty: there is none, and nothing happens.
  UserFunctionFolder(std::string path, engine::FunctionRegistry& registry, bool follow);
  ~UserFunctionFolder();
  UserFunctionFolder(const UserFunctionFolder&) = delete;
  UserFunctionFolder& operator=(const UserFunctionFolder&) = delete;

  /// Reads it now: `{functions: [{name, version}], findings: [{file, line, column, message, rule}]}`. Any thread; blocks.
  [[nodiscard]] json::Value read();
  /// The `findings` of the last reading. Any thread; does not wait for one.
  [[nodiscard]] json::Value findings() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pawl::app
