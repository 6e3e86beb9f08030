package io.github.exporter.deblur;

import android.content.Context;
import io.github.exporter.deblur.core.Bundle;
import io.github.exporter.deblur.core.FolderFiles;
import java.io.File;
import java.io.IOException;
import java.util.Arrays;

/**
 * Which bundle the app uses: the one whose folder in bundles/ of its external files sorts last, so that a newer version
 * wins, else the one in its assets. Swapping a model is one `adb push`, no build.
 */
final class Bundles {
    private static final String IN_ASSETS = "bundle";

    private Bundles() {}

    /** @throws IOException with one sentence, when there is none or it is not understood */
    static Bundle current(Context context) throws IOException {
        File external = context.getExternalFilesDir(null);
        File[] dropped = external == null ? null : new File(external, "bundles").listFiles();
        if (dropped != null && dropped.length > 0) {
            Arrays.sort(dropped);
            return Bundle.open(new FolderFiles(dropped[dropped.length - 1]));
        }
        if (Arrays.asList(context.getAssets().list("")).contains(IN_ASSETS)) {
            return Bundle.open(new AssetFiles(context.getAssets(), IN_ASSETS));
        }
        throw new IOException(context.getString(R.string.no_bundle));
    }
}
