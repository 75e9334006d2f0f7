#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <type_traits>

// An array that is emptied and filled again without touching the allocator.
template <typename T>
class Buffer {
    static_assert(std::is_trivially_copyable<T>::value, "moved by realloc");

  public:
    Buffer() = default;
    Buffer(const Buffer &) = delete;
    Buffer &operator=(const Buffer &) = delete;
    ~Buffer() { std::free(data_); }

    T *data() const { return data_; }
    uint32_t count() const { return count_; }
    void truncate(uint32_t count) { count_ = count; }

    // nullptr when memory is out.
    T *push() {
        if (count_ == capacity_ && !reserve(capacity_ == 0 ? 16 : size_t(capacity_) * 2)) return nullptr;
        return new (data_ + count_++) T();
    }

    bool reserve(size_t capacity) {
        if (capacity <= capacity_) return true;
        if (capacity > UINT32_MAX) return false;
        void *grown = std::realloc(static_cast<void *>(data_), capacity * sizeof(T));
        if (grown == nullptr) return false;
        data_ = static_cast<T *>(grown);
        capacity_ = uint32_t(capacity);
        return true;
    }

    void release() {
        std::free(data_);
        data_ = nullptr;
        count_ = capacity_ = 0;
    }

  private:
    T *data_ = nullptr;
    uint32_t count_ = 0;
    uint32_t capacity_ = 0;
};
