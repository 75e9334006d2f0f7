// The walk over simdjson's token list; see CSimdJSON.h for what it promises.
//
// What is relied on, of simdjson's first stage (`stage1` of `internal::dom_parser_implementation`, private there: what is said here
// holds for 3.0.1, and the tests compare with other parsers):
// - the document is valid UTF-8, its strings are closed and hold no control characters;
// - the list has the offset of every `{ } [ ] : ,` outside strings, of every opening quote, and of every first byte of a run of
//   other bytes; so behind a string's closing quote there is only whitespace up to the next entry;
// - behind the last entry stands the document's length, where the padded copy has a zero byte. No check below accepts a zero,
//   so the walk cannot pass the end and needs no bounds of its own.

#define SIMDJSON_EXCEPTIONS 0

#include "CSimdJSON.h"

#include "Buffer.hpp"
#include "Scalars.hpp"

#include <cmath>
#include <cstring>
#include <memory>
#include <new>
#include <simdjson.h>

namespace {

// Up to this many bytes of document the buffers are kept for the next one; a larger one's are given back when it has passed.
constexpr size_t kept_capacity = size_t(1) << 20;

enum class Key { v, ts, data, overwrite, window, node_id, tag, start, end, other };

struct Walk {
    uint8_t *bytes;
    uint32_t length;
    const uint32_t *next;
    // Whether any string may have an escape: mostly none has, and then none is searched.
    bool escapes;
    SJDocument &document;
    Buffer<SJElement> &elements;
    Buffer<SJPoint> &points;

    bool fail(SJStatus status, uint32_t offset) {
        document.status = status;
        document.errorOffset = offset;
        return false;
    }

    uint8_t peek() const { return bytes[*next]; }

    // MARK: Scalars

    bool end_scalar(const uint8_t *end, SJStatus otherwise) {
        uint32_t offset = uint32_t(end - bytes);
        if (ends_scalar(*end) || offset == length) return true;
        return fail(otherwise, offset);
    }

    bool scan_number(uint32_t offset, Number &number) {
        if (!number.scan(bytes + offset)) return fail(SJStatusExpectedNumber, uint32_t(number.end - bytes));
        return end_scalar(number.end, SJStatusExpectedNumber);
    }

    bool literal(uint32_t offset, const char *text, uint32_t count) {
        if (std::memcmp(bytes + offset, text, count) != 0) return fail(SJStatusExpectedLiteral, offset);
        return end_scalar(bytes + offset + count, SJStatusExpectedLiteral);
    }

    // The string at `*next`, with its escapes resolved in place.
    bool string(SJText &text) {
        uint32_t opening = *next;
        uint32_t closing = next[1] - 1;
        while (closing > opening && is_space(bytes[closing])) --closing;
        if (closing == opening || bytes[closing] != '"') return fail(SJStatusUnclosedString, opening);
        text.offset = opening + 1;
        text.length = closing - opening - 1;
        if (!escapes) return true;
        uint8_t *content = bytes + text.offset;
        uint8_t *escape = static_cast<uint8_t *>(std::memchr(content, '\\', text.length));
        if (escape == nullptr) return true;
        uint8_t *end = bytes + closing;
        if (!unescape(escape, end)) return fail(SJStatusExpectedEscape, uint32_t(escape - bytes));
        text.length = uint32_t(end - content);
        return true;
    }

    // MARK: Values

    // The members of the object at `*next`: `member` is called at each value and must move behind it.
    template <typename Member>
    bool members(Member member) {
        ++next;
        if (peek() == '}') {
            ++next;
            return true;
        }
        for (;;) {
            Key name;
            if (!key(name)) return false;
            if (peek() != ':') return fail(SJStatusExpectedColon, *next);
            ++next;
            if (!member(name)) return false;
            uint8_t byte = peek();
            if (byte != ',' && byte != '}') return fail(SJStatusExpectedCommaOrBrace, *next);
            ++next;
            if (byte == '}') return true;
        }
    }

    // The items of the array at `*next`: `item` is called at each value and must move behind it.
    template <typename Item>
    bool items(Item item) {
        ++next;
        if (peek() == ']') {
            ++next;
            return true;
        }
        for (;;) {
            if (!item()) return false;
            uint8_t byte = peek();
            if (byte != ',' && byte != ']') return fail(SJStatusExpectedCommaOrBracket, *next);
            ++next;
            if (byte == ']') return true;
        }
    }

    bool key(Key &key) {
        if (peek() != '"') return fail(SJStatusExpectedKey, *next);
        const uint8_t *name = bytes + *next + 1;
        if (name[0] == 'v' && name[1] == '"') {
            key = Key::v;
            ++next;
            return true;
        }
        if (name[0] == 't' && name[1] == 's' && name[2] == '"') {
            key = Key::ts;
            ++next;
            return true;
        }
        SJText text;
        if (!string(text)) return false;
        key = known(text);
        ++next;
        return true;
    }

    Key known(SJText text) const {
        static const struct { const char *name; Key key; } names[] = {
            {"v", Key::v}, {"ts", Key::ts}, {"data", Key::data}, {"overwrite", Key::overwrite}, {"window", Key::window},
            {"node_id", Key::node_id}, {"tag", Key::tag}, {"start", Key::start}, {"end", Key::end},
        };
        for (const auto &name : names)
            if (std::strlen(name.name) == text.length && std::memcmp(name.name, bytes + text.offset, text.length) == 0)
                return name.key;
        return Key::other;
    }

    // Any value: reads it to its end and says what it is. `depth` counts the containers around it.
    bool value(SJToken &token, int depth) {
        uint32_t offset = *next;
        token.text = {offset, 1};
        switch (bytes[offset]) {
        case '"':
            token.kind = SJKindString;
            if (!string(token.text)) return false;
            break;
        case '{':
            token.kind = SJKindObject;
            if (depth == SJ_MAX_DEPTH) return fail(SJStatusTooDeep, offset);
            return members([&](Key) { return skip(depth + 1); });
        case '[':
            token.kind = SJKindArray;
            if (depth == SJ_MAX_DEPTH) return fail(SJStatusTooDeep, offset);
            return items([&] { return skip(depth + 1); });
        case 't':
            token = {{offset, 4}, SJKindBoolean};
            if (!literal(offset, "true", 4)) return false;
            break;
        case 'f':
            token = {{offset, 5}, SJKindBoolean};
            if (!literal(offset, "false", 5)) return false;
            break;
        case 'n':
            token = {{offset, 4}, SJKindNull};
            if (!literal(offset, "null", 4)) return false;
            break;
        case '-': case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8': case '9': {
            Number number;
            if (!scan_number(offset, number)) return false;
            token.text.length = uint32_t(number.end - bytes) - offset;
            token.kind = std::isfinite(number.value(bytes + offset)) ? SJKindNumber : SJKindHugeNumber;
            break;
        }
        default:
            return fail(SJStatusExpectedValue, offset);
        }
        ++next;
        return true;
    }

    bool skip(int depth) {
        SJToken token;
        return value(token, depth);
    }

    bool point_value(SJPoint &point, int depth) {
        uint8_t byte = peek();
        if (is_digit(byte) || byte == '-') {
            uint32_t offset = *next;
            Number number;
            if (!scan_number(offset, number)) return false;
            point.value.number = number.value(bytes + offset);
            point.valueKind = SJKindNumber;
            if (!std::isfinite(point.value.number)) {
                point.value.text = {offset, uint32_t(number.end - bytes) - offset};
                point.valueKind = SJKindHugeNumber;
            }
            ++next;
            return true;
        }
        SJToken token;
        if (!value(token, depth)) return false;
        point.value.text = token.text;
        point.valueKind = token.kind;
        return true;
    }

    bool point_timestamp(SJPoint &point, int depth) {
        SJToken token;
        if (!value(token, depth)) return false;
        point.timestampOffset = token.text.offset;
        point.timestampLength = uint16_t(token.text.length < UINT16_MAX ? token.text.length : UINT16_MAX);
        point.timestampKind = token.kind;
        return true;
    }

    // One item of an array of points; `depth` counts the containers around it.
    bool point(int depth) {
        SJPoint *point = points.push();
        if (point == nullptr) return fail(SJStatusOutOfMemory, *next);
        if (peek() == '{') {
            return members([&](Key key) {
                switch (key) {
                case Key::v: return point_value(*point, depth + 1);
                case Key::ts: return point_timestamp(*point, depth + 1);
                default: return skip(depth + 1);
                }
            });
        }
        SJToken token;
        if (!value(token, depth)) return false;
        point->value.text = token.text;
        point->valueKind = token.kind;
        point->timestampKind = SJKindNoObject;
        return true;
    }

    bool data(SJElement &element, int depth) {
        // A second `data` replaces the first.
        points.truncate(element.firstPoint);
        if (peek() != '[') {
            element.pointCount = 0;
            return value(element.data, depth);
        }
        element.data = {{*next, 1}, SJKindArray};
        if (!items([&] { return point(depth + 1); })) return false;
        element.pointCount = points.count() - element.firstPoint;
        return true;
    }

    bool window(SJElement &element, int depth) {
        element.windowStart = element.windowEnd = {};
        if (peek() != '{') return value(element.window, depth);
        element.window = {{*next, 1}, SJKindObject};
        return members([&](Key key) {
            switch (key) {
            case Key::start: return value(element.windowStart, depth + 1);
            case Key::end: return value(element.windowEnd, depth + 1);
            default: return skip(depth + 1);
            }
        });
    }

    bool element(int depth) {
        SJElement *element = elements.push();
        if (element == nullptr) return fail(SJStatusOutOfMemory, *next);
        element->firstPoint = points.count();
        if (peek() != '{') return value(element->token, depth);
        element->token = {{*next, 1}, SJKindObject};
        return members([&](Key key) {
            switch (key) {
            case Key::v: return point_value(element->point, depth + 1);
            case Key::ts: return point_timestamp(element->point, depth + 1);
            case Key::data: return data(*element, depth + 1);
            case Key::overwrite: return value(element->overwrite, depth + 1);
            case Key::window: return window(*element, depth + 1);
            case Key::node_id: return value(element->nodeID, depth + 1);
            case Key::tag: return value(element->tag, depth + 1);
            default: return skip(depth + 1);
            }
        });
    }

    bool root(SJItems what) {
        document.root.text = {*next, 1};
        if (peek() == '{') {
            document.root.kind = SJKindObject;
            return element(0);
        }
        if (peek() == '[') {
            document.root.kind = SJKindArray;
            if (what == SJItemsElements) return items([&] { return element(1); });
            SJElement *element = elements.push();
            return element != nullptr ? data(*element, 0) : fail(SJStatusOutOfMemory, 0);
        }
        if (!value(document.root, 0)) return false;
        if (document.root.kind != SJKindNumber && document.root.kind != SJKindHugeNumber) return true;
        SJElement *element = elements.push();
        if (element == nullptr) return fail(SJStatusOutOfMemory, 0);
        --next;
        return point_value(element->point, 0);
    }
};

} // namespace

struct SJParser {
    std::unique_ptr<simdjson::internal::dom_parser_implementation> stage;
    Buffer<uint8_t> bytes;
    Buffer<SJElement> elements;
    Buffer<SJPoint> points;
    SJDocument document;

    // Room for the stage, and for a copy of the document.
    bool reserve(size_t length, bool copy) {
        if (length < kept_capacity && stage && stage->capacity() > kept_capacity) {
            stage.reset();
            bytes.release();
            elements.release();
            points.release();
        }
        if (copy && !bytes.reserve(length + simdjson::SIMDJSON_PADDING)) return false;
        if (stage && stage->capacity() > length) return true;
        size_t capacity = 4096;
        while (capacity <= length) capacity *= 2;
        // Past this the document itself is what counts: no more than it needs.
        if (capacity > kept_capacity) capacity = length + 1;
        stage.reset();
        return simdjson::get_active_implementation()->create_dom_parser_implementation(capacity, SJ_MAX_DEPTH, stage)
            == simdjson::SUCCESS;
    }

    // `text` is parsed in place, `from` copied; the other is null.
    SJStatus parse(uint8_t *text, const void *from, size_t length, SJItems items) {
        if (length == 0) return SJStatusEmpty;
        if (length > UINT32_MAX - simdjson::SIMDJSON_PADDING) return SJStatusTooLong;
        if (!reserve(length, from != nullptr)) return SJStatusOutOfMemory;
        if (from != nullptr) {
            text = bytes.data();
            std::memcpy(text, from, length);
        }
        std::memset(text + length, 0, simdjson::SIMDJSON_PADDING);
        document.bytes = text;
        document.byteCount = uint32_t(length);

        simdjson::error_code error = stage->stage1(text, length, simdjson::stage1_mode::regular);
        if (error != simdjson::SUCCESS) {
            // Which error stage 1 names first is its own affair; bytes that are no text are not to be called malformed JSON.
            if (!simdjson::validate_utf8(reinterpret_cast<const char *>(text), length)) return SJStatusInvalidUTF8;
            switch (error) {
            case simdjson::EMPTY: return SJStatusEmpty;
            case simdjson::UNESCAPED_CHARS: return SJStatusControlCharacter;
            default: return SJStatusUnclosedString;
            }
        }
        bool escapes = std::memchr(text, '\\', length) != nullptr;
        const uint32_t *first = stage->structural_indexes.get();
        Walk walk{text, uint32_t(length), first, escapes, document, elements, points};
        if (walk.root(items) && walk.next != first + stage->n_structural_indexes)
            walk.fail(SJStatusExpectedEnd, *walk.next);
        return document.status;
    }

    const SJDocument *read(uint8_t *text, const void *from, size_t length, SJItems items) {
        document = SJDocument();
        elements.truncate(0);
        points.truncate(0);
        document.status = parse(text, from, length, items);
        document.elements = elements.data();
        document.elementCount = elements.count();
        document.points = points.data();
        document.pointCount = points.count();
        return &document;
    }
};

static_assert(SJ_PADDING >= simdjson::SIMDJSON_PADDING, "the header promises enough");

SJParser *sj_parser_create(void) { return new (std::nothrow) SJParser(); }

void sj_parser_destroy(SJParser *parser) { delete parser; }

const SJDocument *sj_parse(SJParser *parser, const void *bytes, size_t length, SJItems items) {
    // Never null, so that it is known for a document to copy.
    return parser->read(nullptr, bytes == nullptr ? "" : bytes, length, items);
}

const SJDocument *sj_parse_in_place(SJParser *parser, void *bytes, size_t length, SJItems items) {
    return parser->read(static_cast<uint8_t *>(bytes), nullptr, length, items);
}

int sj_number(const void *bytes, size_t length, double *value) {
    const uint8_t *text = static_cast<const uint8_t *>(bytes);
    Number number;
    if (length == 0 || !number.scan(text) || number.end != text + length) return 0;
    *value = number.value(text);
    return 1;
}
