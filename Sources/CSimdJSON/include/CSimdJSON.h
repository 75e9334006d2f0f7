/// A tokeniser for time series in JSON, over simdjson.
///
/// It turns a document into flat arrays that the parser owns and uses again: elements (objects that may carry `node_id`, `tag`,
/// `data`, `overwrite`, `window`, `v` and `ts`) and points (objects that may carry `v` and `ts`). Fields may stand in any order, of
/// several with one name the last counts, and fields with other names are skipped. What a token means (timestamps, names, bounds)
/// is decided by the caller; that the document is JSON is decided here, for every byte of it: UTF-8, strings with their escapes,
/// numbers and literals, also in what is skipped (RFC 8259), and no more than `SJ_MAX_DEPTH` containers inside one another.
///
/// simdjson does the part that is worth SIMD: its first stage validates UTF-8 and lists where each token begins. The walk
/// over those tokens is ours, because simdjson's own second stages either give up on numbers past 64 bits without saying where (DOM)
/// or leave unread what nobody asks for (On-Demand).
///
/// A parser belongs to one thread at a time. Nothing here throws, prints or keeps the caller's bytes.
#ifndef CSIMDJSON_H
#define CSIMDJSON_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SJ_CLOSED_ENUM __attribute__((enum_extensibility(closed)))

/// Bytes behind a document that is parsed in place, which the tokeniser reads and writes.
#define SJ_PADDING 64

/// The most arrays and objects that may stand inside one another.
#define SJ_MAX_DEPTH 16

/// What stands where a value is looked for.
typedef enum SJ_CLOSED_ENUM SJKind : uint8_t {
    /// Nothing: the object has no such field.
    SJKindAbsent = 0,
    SJKindNull,
    SJKindBoolean,
    /// A number that is finite as a double.
    SJKindNumber,
    /// A number whose magnitude no double has.
    SJKindHugeNumber,
    SJKindString,
    SJKindArray,
    SJKindObject,
    /// In `SJPoint.timestampKind` only: the point is no object but the value that its other fields describe.
    SJKindNoObject,
} SJKind;

/// A stretch of `SJDocument.bytes`. A string without its quotes and with its escapes resolved; a number or literal as it was written;
/// of an array or object the opening bracket.
typedef struct SJText {
    uint32_t offset;
    uint32_t length;
} SJText;

typedef struct SJToken {
    SJText text;
    SJKind kind;
} SJToken;

/// 16 bytes, so that a payload of many points costs little more than its own bytes.
typedef struct SJPoint {
    union {
        /// When `valueKind` is `SJKindNumber`.
        double number;
        /// Otherwise.
        SJText text;
    } value;
    /// Into `SJDocument.bytes`, as in `SJText`.
    uint32_t timestampOffset;
    /// Capped at 65535; no timestamp is that long.
    uint16_t timestampLength;
    SJKind timestampKind;
    SJKind valueKind;
} SJPoint;

typedef struct SJElement {
    /// `SJKindObject`, or what stands there instead; then the other fields are absent.
    SJToken token;
    SJToken nodeID;
    SJToken tag;
    SJToken overwrite;
    SJToken window;
    SJToken windowStart;
    SJToken windowEnd;
    SJToken data;
    /// The element's own `v` and `ts`.
    SJPoint point;
    /// Of `data`: a range of `SJDocument.points`.
    uint32_t firstPoint;
    uint32_t pointCount;
} SJElement;

typedef enum SJ_CLOSED_ENUM SJStatus : uint8_t {
    SJStatusDone = 0,
    /// No bytes, or nothing but whitespace.
    SJStatusEmpty,
    SJStatusInvalidUTF8,
    SJStatusTooDeep,
    /// 4 GiB or more.
    SJStatusTooLong,
    SJStatusOutOfMemory,
    /// The document is malformed; what was expected at `errorOffset`:
    SJStatusExpectedValue,
    SJStatusExpectedKey,
    SJStatusExpectedColon,
    SJStatusExpectedCommaOrBracket,
    SJStatusExpectedCommaOrBrace,
    SJStatusExpectedEnd,
    SJStatusExpectedNumber,
    SJStatusExpectedLiteral,
    SJStatusExpectedEscape,
    /// Malformed, at a place that is not known: a string without its closing quote.
    SJStatusUnclosedString,
    /// Malformed, at a place that is not known: a control character inside a string.
    SJStatusControlCharacter,
} SJStatus;

/// What the items of an array at the root are.
typedef enum SJ_CLOSED_ENUM SJItems : uint8_t {
    /// Points: the array is read as the `data` of one element.
    SJItemsPoints = 0,
    /// Elements, each with its own `data`.
    SJItemsElements,
} SJItems;

typedef struct SJDocument {
    SJStatus status;
    uint32_t errorOffset;
    /// The document, or a copy of it, in which escapes are resolved.
    const uint8_t *bytes;
    uint32_t byteCount;
    /// What the document is.
    SJToken root;
    /// One for a root that is an object, or an array of points, or a number (which is then the element's `v`).
    const SJElement *elements;
    uint32_t elementCount;
    const SJPoint *points;
    uint32_t pointCount;
} SJDocument;

typedef struct SJParser SJParser;

/// NULL when memory is out. The caller frees it with `sj_parser_destroy`.
SJParser *sj_parser_create(void);

void sj_parser_destroy(SJParser *parser);

/// Tokenises a document. The result belongs to the parser and is valid until its next call; only when `status` is
/// `SJStatusDone` has it more than `status` and `errorOffset` (and `bytes`, to quote from).
const SJDocument *sj_parse(SJParser *parser, const void *bytes, size_t length, SJItems items);

/// As `sj_parse`, without a copy: resolves the escapes in the caller's own bytes, which must stay where they are as long as
/// the result is used. `SJ_PADDING` bytes behind them belong to the call.
const SJDocument *sj_parse_in_place(SJParser *parser, void *bytes, size_t length, SJItems items);

/// Reads one number, written as in JSON, that takes up all of the bytes, behind which one more must be readable. The double is the nearest
/// one, an infinity for what is past the greatest; 0 unless it is such a number.
int sj_number(const void *bytes, size_t length, double *value);

#ifdef __cplusplus
}
#endif

#endif
