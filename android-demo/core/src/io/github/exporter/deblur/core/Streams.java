package io.github.exporter.deblur.core;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;

/** Whole streams: their bytes and their SHA-256. */
public final class Streams {
    private static final int BLOCK_BYTES = 1 << 16;

    private Streams() {}

    /** All bytes; closes the stream. */
    public static byte[] readAll(InputStream stream) throws IOException {
        try {
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            byte[] block = new byte[BLOCK_BYTES];
            for (int count = stream.read(block); count >= 0; count = stream.read(block)) {
                out.write(block, 0, count);
            }
            return out.toByteArray();
        } finally {
            stream.close();
        }
    }

    /** SHA-256 of all bytes as 64 lower-case hex digits; closes the stream. */
    public static String sha256(InputStream stream) throws IOException {
        try {
            MessageDigest digest = sha256();
            byte[] block = new byte[BLOCK_BYTES];
            for (int count = stream.read(block); count >= 0; count = stream.read(block)) {
                digest.update(block, 0, count);
            }
            return hex(digest.digest());
        } finally {
            stream.close();
        }
    }

    /** SHA-256 of {@code bytes} as 64 lower-case hex digits. */
    public static String sha256(byte[] bytes) {
        return hex(sha256().digest(bytes));
    }

    static String hex(byte[] bytes) {
        StringBuilder hex = new StringBuilder();
        for (byte b : bytes) {
            hex.append(Character.forDigit(b >> 4 & 0xF, 16)).append(Character.forDigit(b & 0xF, 16));
        }
        return hex.toString();
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException error) {
            throw new IllegalStateException(error); // every Java and every Android has it
        }
    }
}
