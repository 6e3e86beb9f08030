package io.github.exporter.deblur;

import android.content.Context;
import io.github.exporter.deblur.core.Bundle;
import io.github.exporter.deblur.core.BundleFiles;
import io.github.exporter.deblur.core.FolderFiles;
import io.github.exporter.deblur.core.Streams;
import io.github.exporter.deblur.core.TrustedKey;
import java.io.File;
import java.io.IOException;
import java.util.Arrays;

/**
 * Which bundle the app uses: the one whose folder in bundles/ of its external files sorts last, so that a newer version
 * wins, else the one in its assets. Swapping a model is one `adb push`, no build.
 */
final class Bundles {
    private static final String IN_ASSETS = "bundle";
    /** Public keys, PEM. An app that has it takes no bundle that none of them has signed. */
    private static final String TRUSTED_KEYS = "trusted_keys.pem";

    private Bundles() {}

    /** @throws IOException with one sentence, when there is none, it is not understood or nobody trusted signed it */
    static Bundle current(Context context) throws IOException {
        File external = context.getExternalFilesDir(null);
        File[] dropped = external == null ? null : new File(external, "bundles").listFiles();
        if (dropped != null && dropped.length > 0) {
            Arrays.sort(dropped);
            return opened(context, new FolderFiles(dropped[dropped.length - 1]));
        }
        if (Arrays.asList(context.getAssets().list("")).contains(IN_ASSETS)) {
            return opened(context, new AssetFiles(context.getAssets(), IN_ASSETS));
        }
        throw new IOException(context.getString(R.string.no_bundle));
    }

    private static Bundle opened(Context context, BundleFiles files) throws IOException {
        if (!Arrays.asList(context.getAssets().list("")).contains(TRUSTED_KEYS)) {
            return Bundle.open(files);
        }
        byte[] pem = Streams.readAll(context.getAssets().open(TRUSTED_KEYS));
        return Bundle.openSigned(files, TrustedKey.all(new String(pem, "UTF-8")));
    }
}
