package io.github.exporter.deblur.core;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** An array of a {@code .npy} file, version 1.0, C order, little endian; {@code float32}, {@code int8} or {@code uint8}. */
public final class Npy {
    private static final byte[] MAGIC = {(byte) 0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0};
    private static final Pattern HEADER =
            Pattern.compile(
                    "\\{'descr': '(<f4|\\|i1|\\|u1)', 'fortran_order': False, 'shape': \\(([0-9, ]*)\\), \\}\\s*");

    public final String dtype;
    public final int[] shape;
    /** The raw values, little endian, positioned at the first. */
    public final ByteBuffer data;

    private Npy(String dtype, int[] shape, ByteBuffer data) {
        this.dtype = dtype;
        this.shape = shape;
        this.data = data;
    }

    /**
     * Reads the whole stream and closes it.
     *
     * @param where the file's name, for messages
     * @throws BundleException when it is no such array or cut short
     */
    public static Npy read(String where, InputStream stream) throws IOException {
        byte[] bytes = Streams.readAll(stream);
        for (int i = 0; i < MAGIC.length; i++) {
            if (bytes.length < 10 || bytes[i] != MAGIC[i]) {
                throw new BundleException(where + " is no .npy file of version 1.0");
            }
        }
        int start = 10 + (bytes[8] & 0xFF | (bytes[9] & 0xFF) << 8);
        Matcher header = HEADER.matcher(new String(bytes, 10, Math.min(start, bytes.length) - 10, "ISO-8859-1"));
        if (!header.matches()) {
            throw new BundleException(where + " holds no plain float32, int8 or uint8 array");
        }
        int[] shape = shape(header.group(2));
        long size = header.group(1).equals("<f4") ? 4 : 1;
        for (int length : shape) {
            size *= length;
        }
        if (size != bytes.length - start) {
            throw new BundleException(where + " was cut short or has more than its header says");
        }
        ByteBuffer data = ByteBuffer.wrap(bytes, start, bytes.length - start).slice().order(ByteOrder.LITTLE_ENDIAN);
        return new Npy(dtype(header.group(1)), shape, data);
    }

    /** The same as engines take it. @throws BundleException when it is not one of {@code spec} */
    public ByteBuffer tensor(TensorSpec spec, String where) throws BundleException {
        if (!dtype.equals(spec.dtype) || data.remaining() != spec.bytes()) {
            throw new BundleException(where + " is no tensor " + spec);
        }
        ByteBuffer buffer = Buffers.direct(spec);
        Buffers.rewind(data);
        if (spec.isFloat()) {
            buffer.asFloatBuffer().put(data.asFloatBuffer());
        } else {
            buffer.put(data);
        }
        Buffers.rewind(buffer);
        Buffers.rewind(data);
        return buffer;
    }

    private static String dtype(String code) {
        return code.equals("<f4") ? "float32" : code.equals("|i1") ? "int8" : "uint8";
    }

    private static int[] shape(String text) {
        String[] words = text.trim().isEmpty() ? new String[0] : text.trim().split("\\s*,\\s*");
        int[] shape = new int[words.length];
        for (int i = 0; i < words.length; i++) {
            shape[i] = Integer.parseInt(words[i]);
        }
        return shape;
    }
}
