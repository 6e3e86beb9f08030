package io.github.exporter.deblur.core;

import java.util.Iterator;
import java.util.Map;

/** JSON, in and out: objects are maps in their order, then lists, String, Boolean, Number, null. */
public final class Json {
    private Json() {}

    /**
     * The object that {@code text} is.
     *
     * @param where the file's name, for messages
     * @throws BundleException with the place when it is not JSON or not an object
     */
    public static JsonObject object(String where, String text) throws BundleException {
        Object value;
        try {
            value = JsonReader.read(text);
        } catch (BundleException error) {
            throw new BundleException(where + ": " + error.getMessage());
        }
        return JsonObject.of(where, value);
    }

    /** {@code value} as JSON. A NaN or an infinity has no form there: IllegalArgumentException. */
    public static String write(Object value) {
        StringBuilder out = new StringBuilder();
        append(value, out);
        return out.toString();
    }

    private static void append(Object value, StringBuilder out) {
        if (value instanceof Map) {
            appendMap((Map<?, ?>) value, out);
        } else if (value instanceof Iterable) {
            out.append('[');
            for (Iterator<?> each = ((Iterable<?>) value).iterator(); each.hasNext(); ) {
                append(each.next(), out);
                out.append(each.hasNext() ? ", " : "");
            }
            out.append(']');
        } else if (value instanceof String) {
            quote((String) value, out);
        } else if (value == null || value instanceof Boolean || value instanceof Long || value instanceof Integer) {
            out.append(value);
        } else if (value instanceof Double && !((Double) value).isNaN() && !((Double) value).isInfinite()) {
            out.append(value);
        } else {
            throw new IllegalArgumentException(value + " has no form in JSON");
        }
    }

    private static void appendMap(Map<?, ?> map, StringBuilder out) {
        out.append('{');
        for (Iterator<? extends Map.Entry<?, ?>> each = map.entrySet().iterator(); each.hasNext(); ) {
            Map.Entry<?, ?> entry = each.next();
            quote((String) entry.getKey(), out);
            out.append(": ");
            append(entry.getValue(), out);
            out.append(each.hasNext() ? ", " : "");
        }
        out.append('}');
    }

    private static void quote(String text, StringBuilder out) {
        out.append('"');
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '"' || c == '\\') {
                out.append('\\').append(c);
            } else if (c < ' ' || c > '~') {
                out.append(String.format("\\u%04x", (int) c));
            } else {
                out.append(c);
            }
        }
        out.append('"');
    }
}
