package io.github.exporter.deblur.core;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The first input and output of a {@code .tflite} file, read from its FlatBuffer: engines differ in what they tell of
 * scale and zero point, the file itself does not.
 */
public final class TfliteFile {
    // Field numbers of the public schema, tensorflow/lite/schema/schema.fbs.
    private static final int MODEL_SUBGRAPHS = 2;
    private static final int SUBGRAPH_TENSORS = 0;
    private static final int SUBGRAPH_INPUTS = 1;
    private static final int SUBGRAPH_OUTPUTS = 2;
    private static final int TENSOR_SHAPE = 0;
    private static final int TENSOR_TYPE = 1;
    private static final int TENSOR_NAME = 3;
    private static final int TENSOR_QUANTIZATION = 4;
    private static final int QUANTIZATION_SCALE = 2;
    private static final int QUANTIZATION_ZERO_POINT = 3;

    public final TensorSpec input;
    public final TensorSpec output;

    private TfliteFile(TensorSpec input, TensorSpec output) {
        this.input = input;
        this.output = output;
    }

    /** @throws BundleException when it is no .tflite file from one RGB picture to one */
    public static TfliteFile read(String where, byte[] bytes) throws BundleException {
        ByteBuffer file = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        try {
            if (file.getInt(4) != 0x334C4654) { // "TFL3"
                throw new BundleException(where + " is no .tflite file");
            }
            int graph = element(file, field(file, file.getInt(0), MODEL_SUBGRAPHS), 0);
            return new TfliteFile(end(file, graph, SUBGRAPH_INPUTS), end(file, graph, SUBGRAPH_OUTPUTS));
        } catch (IndexOutOfBoundsException error) {
            throw new BundleException(where + " is a damaged .tflite file");
        } catch (IllegalArgumentException error) {
            throw new BundleException(where + ": " + error.getMessage());
        }
    }

    private static TensorSpec end(ByteBuffer file, int graph, int which) {
        int indices = vector(file, field(file, graph, which));
        int tensor = element(file, field(file, graph, SUBGRAPH_TENSORS), file.getInt(indices + 4));
        int shape = vector(file, field(file, tensor, TENSOR_SHAPE));
        if (file.getInt(shape) != 4) {
            throw new IllegalArgumentException("a tensor of rank " + file.getInt(shape) + " is no picture");
        }
        boolean nhwc = file.getInt(shape + 16) == 3;
        int height = file.getInt(shape + (nhwc ? 8 : 12));
        int width = file.getInt(shape + (nhwc ? 12 : 16));
        String dtype = dtype(file, field(file, tensor, TENSOR_TYPE));
        float scale = 0;
        int zeroPoint = 0;
        int quantization = field(file, tensor, TENSOR_QUANTIZATION);
        if (!dtype.equals("float32") && quantization != 0) {
            int table = quantization + file.getInt(quantization);
            scale = file.getFloat(vector(file, field(file, table, QUANTIZATION_SCALE)) + 4);
            int zeroPoints = field(file, table, QUANTIZATION_ZERO_POINT);
            zeroPoint = zeroPoints == 0 ? 0 : (int) file.getLong(vector(file, zeroPoints) + 4);
        }
        String name = text(file, field(file, tensor, TENSOR_NAME));
        return new TensorSpec(name, height, width, nhwc, dtype, scale, zeroPoint);
    }

    private static String dtype(ByteBuffer file, int at) {
        int code = at == 0 ? 0 : file.get(at);
        switch (code) {
            case 0:
                return "float32";
            case 3:
                return "uint8";
            case 9:
                return "int8";
            default:
                throw new IllegalArgumentException("a tensor of type " + code + " is no picture");
        }
    }

    /** Where field {@code number} of the table at {@code table} lies; 0 when the table leaves it out. */
    private static int field(ByteBuffer file, int table, int number) {
        int layout = table - file.getInt(table);
        int slot = 4 + 2 * number;
        int offset = slot < file.getShort(layout) ? file.getShort(layout + slot) & 0xFFFF : 0;
        return offset == 0 ? 0 : table + offset;
    }

    /** Where the vector lies that {@code field} points to: its length, then its elements. */
    private static int vector(ByteBuffer file, int field) {
        if (field == 0) {
            throw new IndexOutOfBoundsException();
        }
        return field + file.getInt(field);
    }

    /** The table that is element {@code index} of a vector of tables. */
    private static int element(ByteBuffer file, int field, int index) {
        int slot = vector(file, field) + 4 + 4 * index;
        return slot + file.getInt(slot);
    }

    private static String text(ByteBuffer file, int field) {
        StringBuilder text = new StringBuilder();
        int at = field == 0 ? 0 : vector(file, field);
        for (int i = 0; field != 0 && i < file.getInt(at); i++) {
            text.append((char) (file.get(at + 4 + i) & 0xFF));
        }
        return text.toString();
    }
}
