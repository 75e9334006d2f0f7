// JSON's numbers and escapes (RFC 8259 §6 and §7), on bytes behind which a zero follows.
#pragma once

#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <system_error>

inline bool is_digit(uint8_t byte) { return uint8_t(byte - '0') <= 9; }

inline bool is_space(uint8_t byte) { return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t'; }

// Whether a number or literal may end before this byte.
inline bool ends_scalar(uint8_t byte) { return byte == ',' || byte == '}' || byte == ']' || is_space(byte); }

// A number's parts, as far as its grammar goes.
struct Number {
    // Behind the number; or where it is not a number any more.
    const uint8_t *end;
    // The digits before and behind the point as one number, when `count`, which is how many they are, is at most 19.
    uint64_t digits;
    size_t count;
    // Of ten, for `digits`.
    int64_t exponent;
    bool negative;

    // Reads as far as the grammar goes. What follows is for the caller to judge.
    bool scan(const uint8_t *at) {
        negative = *at == '-';
        at += negative;
        const uint8_t *first = at;
        digits = 0;
        exponent = 0;
        if (!is_digit(*at)) return stop(at);
        if (*at == '0') {
            ++at;
        } else {
            do digits = digits * 10 + uint64_t(*at++ - '0');
            while (is_digit(*at));
        }
        count = size_t(at - first);
        if (*at == '.') {
            const uint8_t *fraction = ++at;
            while (is_digit(*at)) digits = digits * 10 + uint64_t(*at++ - '0');
            if (at == fraction) return stop(at);
            count += size_t(at - fraction);
            exponent = fraction - at;
        }
        if ((*at | 0x20) == 'e') {
            ++at;
            bool below_one = *at == '-';
            at += below_one || *at == '+';
            if (!is_digit(*at)) return stop(at);
            int64_t power = 0;
            for (; is_digit(*at); ++at)
                if (power < 1000000) power = power * 10 + (*at - '0');
            exponent += below_one ? -power : power;
        }
        end = at;
        return true;
    }

    // The nearest double of the number that was scanned from `from`; an infinity when it is past the greatest.
    double value(const uint8_t *from) const {
        static const double powers_of_ten[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                               1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
        // Clinger: both are exact as doubles, so one rounded operation gives the nearest double.
        if (count <= 19 && digits <= uint64_t(1) << 53 && exponent >= -22 && exponent <= 22) {
            double value = double(digits);
            value = exponent < 0 ? value / powers_of_ten[-exponent] : value * powers_of_ten[exponent];
            return negative ? -value : value;
        }
        const char *first = reinterpret_cast<const char *>(from);
        const char *last = reinterpret_cast<const char *>(end);
        double value = 0;
        if (std::from_chars(first, last, value).ec == std::errc()) return value;
        // Past the greatest double, or nearer to zero than the least: the place of the first digit that is not 0 tells which.
        int64_t place = int64_t(count) - 1 + exponent;
        for (const char *at = first; at < last && (*at < '1' || *at > '9'); ++at) place -= *at == '0';
        value = place > 0 ? HUGE_VAL : 0.0;
        return negative ? -value : value;
    }

  private:
    bool stop(const uint8_t *at) {
        end = at;
        return false;
    }
};

// -1 unless the four bytes are hexadecimal digits.
inline int32_t hex4(const uint8_t *text) {
    int32_t value = 0;
    for (int i = 0; i < 4; ++i) {
        uint8_t byte = text[i];
        int32_t digit;
        if (is_digit(byte)) digit = byte - '0';
        else if (uint8_t((byte | 0x20) - 'a') <= 5) digit = (byte | 0x20) - 'a' + 10;
        else return -1;
        value = value << 4 | digit;
    }
    return value;
}

inline uint8_t *put_utf8(uint8_t *to, int32_t scalar) {
    if (scalar < 0x80) {
        *to++ = uint8_t(scalar);
    } else if (scalar < 0x800) {
        *to++ = uint8_t(0xC0 | scalar >> 6);
        *to++ = uint8_t(0x80 | (scalar & 0x3F));
    } else if (scalar < 0x10000) {
        *to++ = uint8_t(0xE0 | scalar >> 12);
        *to++ = uint8_t(0x80 | (scalar >> 6 & 0x3F));
        *to++ = uint8_t(0x80 | (scalar & 0x3F));
    } else {
        *to++ = uint8_t(0xF0 | scalar >> 18);
        *to++ = uint8_t(0x80 | (scalar >> 12 & 0x3F));
        *to++ = uint8_t(0x80 | (scalar >> 6 & 0x3F));
        *to++ = uint8_t(0x80 | (scalar & 0x3F));
    }
    return to;
}

// Resolves the escapes of a string in place, from its first backslash on: what is resolved is never longer than what was
// written. `end` is the closing quote, and where the string ends when it is done; false when `from` has stopped at no escape.
inline bool unescape(uint8_t *&from, uint8_t *&end) {
    uint8_t *to = from;
    while (from < end) {
        if (*from != '\\') {
            *to++ = *from++;
            continue;
        }
        // The closing quote is behind, so there is a byte behind the backslash, and hex4 stops at the quote.
        switch (from[1]) {
        case '"': case '\\': case '/': *to++ = from[1]; break;
        case 'b': *to++ = '\b'; break;
        case 'f': *to++ = '\f'; break;
        case 'n': *to++ = '\n'; break;
        case 'r': *to++ = '\r'; break;
        case 't': *to++ = '\t'; break;
        case 'u': {
            int32_t scalar = hex4(from + 2);
            if (scalar < 0) return false;
            if (scalar >= 0xD800 && scalar < 0xE000) {
                // A surrogate without its other half stands for no character.
                int32_t low = scalar < 0xDC00 && from[6] == '\\' && from[7] == 'u' ? hex4(from + 8) : -1;
                if (low < 0xDC00 || low >= 0xE000) return false;
                scalar = 0x10000 + ((scalar - 0xD800) << 10) + (low - 0xDC00);
                from += 6;
            }
            to = put_utf8(to, scalar);
            from += 4;
            break;
        }
        default: return false;
        }
        from += 2;
    }
    end = to;
    return true;
}
