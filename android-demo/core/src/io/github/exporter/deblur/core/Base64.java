package io.github.exporter.deblur.core;

import java.io.ByteArrayOutputStream;

/** Base 64 of RFC 4648: {@code java.util.Base64} came with Android 8, {@code android.util.Base64} is no plain Java. */
final class Base64 {
    private static final String DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    private Base64() {}

    /** @throws IllegalArgumentException for a character that is no digit, a length that is none, or a loose end */
    static byte[] decode(String text) {
        int padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
        if (text.length() % 4 != 0) {
            throw new IllegalArgumentException("the length is no multiple of 4");
        }
        ByteArrayOutputStream out = new ByteArrayOutputStream(text.length() / 4 * 3);
        int digits = text.length() - padding;
        int bits = 0;
        int held = 0;
        for (int i = 0; i < digits; i++) {
            int digit = DIGITS.indexOf(text.charAt(i));
            if (digit < 0) {
                throw new IllegalArgumentException("character " + i + " is no digit");
            }
            bits = bits << 6 | digit;
            held += 6;
            if (held >= 8) {
                held -= 8;
                out.write(bits >> held & 0xFF);
                bits &= (1 << held) - 1;
            }
        }
        if (bits != 0) {
            throw new IllegalArgumentException("bits are left over");
        }
        return out.toByteArray();
    }
}
