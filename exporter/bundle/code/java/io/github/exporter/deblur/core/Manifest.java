package io.github.exporter.deblur.core;

import java.util.ArrayList;
import java.util.List;

/** What an app needs of a bundle's manifest.json, schema version 1. */
public final class Manifest {
    public final String name;
    public final String version;
    public final List<ModelEntry> models;
    public final Tiling tiling;
    /** Strength of the denoising that the bundle asks for, 8-bit levels; 0: none. This demo has none to offer. */
    public final double denoise;
    public final boolean onlyBlurred;
    public final double sharpAbove;
    /** golden.json, relative to the bundle. */
    public final String golden;

    private Manifest(JsonObject root) throws BundleException {
        if (root.integer("schema_version") != 1) {
            throw new BundleException("manifest.json: an unknown schema version, " + root.integer("schema_version"));
        }
        name = root.text("name");
        version = root.text("version");
        tiling = tiling(root.object("tiling"));
        models = new ArrayList<ModelEntry>();
        for (JsonObject entry : root.objects("models")) {
            if (!entry.object("input").text("dtype").equals("int16")) { // for NPUs: nothing here feeds it
                models.add(ModelEntry.of(entry, tiling));
            }
        }
        JsonObject processing = root.object("processing");
        denoise = processing.number("denoise");
        onlyBlurred = processing.flag("only_blurred");
        sharpAbove = processing.number("sharp_above");
        golden = root.text("golden");
    }

    /** @throws BundleException saying where, when {@code text} is no manifest that this code understands */
    public static Manifest read(String text) throws BundleException {
        return new Manifest(Json.object("manifest.json", text));
    }

    /** The first {@code .tflite} of the earliest of {@code precisions} that there is; null when there is none. */
    public ModelEntry tflite(String... precisions) {
        for (String precision : precisions) {
            for (ModelEntry model : models) {
                if (model.format.equals("tflite") && model.precision.equals(precision)) {
                    return model;
                }
            }
        }
        return null;
    }

    static Tiling tiling(JsonObject entry) throws BundleException {
        if (!entry.text("beyond_picture").equals("mirrored")) {
            throw new BundleException("manifest.json: beyond a picture this code knows only its mirror image");
        }
        int[] tile = entry.integers("tile_px");
        int multiple = entry.integer("multiple_px");
        if (tile.length != 2 || multiple < 1) {
            throw new BundleException("manifest.json: tiling: these are no tiles");
        }
        return new Tiling(tile[0], tile[1], entry.integer("halo_px"), multiple, entry.integer("blend_px"));
    }
}
