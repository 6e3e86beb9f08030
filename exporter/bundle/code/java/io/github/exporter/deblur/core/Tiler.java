package io.github.exporter.deblur.core;

import java.util.List;

/**
 * Runs a picture of any size through a model of one size, a row of tiles at a time.
 *
 * <p>Memory beside the picture and its result: two strips as high as a tile and as wide as the picture, in floats. The
 * sums are those of tiles.py in the same order, so the bytes are the same.
 */
public final class Tiler {
    private final Tiling tiling;
    private final TileModel model;
    private final TileChoice choice;
    private final int scale;
    private final float[] tile;
    private TileProgress progress;
    private int done;
    private int ofTiles;

    /** @param choice which tiles need the model; null: all */
    public Tiler(Tiling tiling, TileModel model, TileChoice choice) {
        this.tiling = tiling;
        this.model = model;
        this.choice = choice;
        this.scale = model.scale();
        this.tile = new float[tiling.height * tiling.width * 3];
        if (choice != null && scale != 1) {
            throw new IllegalArgumentException("a model that enlarges must restore every tile");
        }
    }

    /**
     * The picture as the model makes it, {@code scale} times as high and wide.
     *
     * @param listener hears of every tile; may be null
     * @throws EngineException when the model fails, gives NaN or infinity, or the listener ends the work
     */
    public RgbImage restore(RgbImage picture, TileProgress listener) throws EngineException {
        List<Span> rows = tiling.rows(picture.height);
        List<Span> columns = tiling.columns(picture.width);
        progress = listener;
        done = 0;
        ofTiles = rows.size() * columns.size();
        RgbImage result = new RgbImage(picture.height * scale, picture.width * scale);
        float[] pending = new float[0];
        for (int index = 0; index < rows.size(); index++) {
            Span row = rows.get(index);
            float[] strip = strip(picture, row, columns);
            multiplyRows(strip, row.shares, result.width * 3);
            for (int i = 0; i < pending.length; i++) { // the rows of the former strip that this one shares
                strip[i] += pending[i];
            }
            int end = index + 1 < rows.size() ? rows.get(index + 1).start : picture.height;
            int finished = Math.max(0, Math.min(end, picture.height) - row.start) * scale;
            write(strip, finished, result, row.start * scale);
            int kept = strip.length - finished * result.width * 3;
            pending = new float[kept];
            System.arraycopy(strip, strip.length - kept, pending, 0, kept);
        }
        return result;
    }

    /** One row of tiles put together side by side: (tile height × scale, picture width × scale, 3). */
    private float[] strip(RgbImage picture, Span row, List<Span> columns) throws EngineException {
        int width = picture.width * scale;
        float[] strip = new float[tiling.height * scale * width * 3];
        for (Span column : columns) {
            cut(picture, row.start, column.start);
            boolean wanted = choice == null || choice.needsModel(tile, tiling.height, tiling.width);
            add(wanted ? model.infer(tile) : tile, column, strip, width);
            done++;
            if (progress != null && !progress.tileDone(done, ofTiles)) {
                throw new EngineException("stopped after " + done + " of " + ofTiles + " tiles");
            }
        }
        return strip;
    }

    private void cut(RgbImage picture, int top, int left) {
        int[] across = new int[tiling.width];
        for (int j = 0; j < across.length; j++) {
            across[j] = Tiling.mirrored(left + j, picture.width);
        }
        for (int i = 0, to = 0; i < tiling.height; i++) {
            int row = Tiling.mirrored(top + i, picture.height) * picture.width;
            for (int column : across) {
                int from = (row + column) * 3;
                for (int channel = 0; channel < 3; channel++) {
                    tile[to++] = (picture.rgb[from + channel] & 0xFF) / 255f;
                }
            }
        }
    }

    private void add(float[] made, Span column, float[] strip, int width) throws EngineException {
        int tileWidth = tiling.width * scale;
        if (made.length != tiling.height * scale * tileWidth * 3) {
            throw new EngineException("the model gave " + made.length + " values for a tile");
        }
        int left = column.start * scale;
        int kept = Math.min(left + tileWidth, width) - left;
        for (int i = 0; i < tiling.height * scale; i++) {
            for (int j = 0; j < kept; j++) {
                float share = column.shares[j / scale];
                int from = (i * tileWidth + j) * 3;
                int to = (i * width + left + j) * 3;
                strip[to] += made[from] * share;
                strip[to + 1] += made[from + 1] * share;
                strip[to + 2] += made[from + 2] * share;
            }
        }
    }

    private void multiplyRows(float[] strip, float[] shares, int rowLength) {
        for (int i = 0; i < strip.length; i++) {
            strip[i] *= shares[i / rowLength / scale];
        }
    }

    private static void write(float[] strip, int rows, RgbImage result, int top) throws EngineException {
        int to = top * result.width * 3;
        for (int i = 0; i < rows * result.width * 3; i++) {
            if (Float.isNaN(strip[i]) || Float.isInfinite(strip[i])) {
                throw new EngineException("the model gave NaN or infinity in row " + (top + i / (result.width * 3)));
            }
            result.rgb[to + i] = PixelPack.toByte(strip[i]);
        }
    }
}
